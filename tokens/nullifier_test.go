package tokens_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

func nullifierKey(t *testing.T, fill byte) tokens.NullifierKey {
	t.Helper()
	b := make([]byte, tokens.NullifierKeySize)
	b[31] = fill
	key, err := tokens.NewNullifierKey(secret.New(b))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestNullifierSeparates: key, nonce and secret each make another nullifier, and
// the challenge makes none, since one nonce is one token.
func TestNullifierSeparates(t *testing.T) {
	a, b := storagetest.NewMint("a"), storagetest.NewMint("b")
	k, other := nullifierKey(t, 1), nullifierKey(t, 2)
	seen := map[[16]byte]string{}
	add := func(name string, v [16]byte) {
		if twin, ok := seen[v]; ok {
			t.Errorf("%s and %s are equal", name, twin)
		}
		seen[v] = name
	}
	n := k.Nullifier(a.Nth(1))
	if n != k.Nullifier(a.Nth(1)) {
		t.Fatal("not a function")
	}
	add("token", n)
	add("nonce", k.Nullifier(a.Nth(2)))
	add("key", k.Nullifier(b.Nth(1)))
	add("secret", other.Nullifier(a.Nth(1)))
	add("check", k.Check())
	add("other check", other.Check())
	add("tag", k.Tag(n, storagetest.Digest("r")))
	add("tag of another request", k.Tag(n, storagetest.Digest("s")))
	add("tag of another token", k.Tag(k.Nullifier(a.Nth(2)), storagetest.Digest("r")))
}

func TestNullifierKeySize(t *testing.T) {
	for _, n := range []int{0, 31, 33} {
		if _, err := tokens.NewNullifierKey(secret.New(make([]byte, n))); !errors.Is(err, tokens.ErrNullifierKey) {
			t.Fatalf("%d octets: %v", n, err)
		}
	}
}

func TestJudge(t *testing.T) {
	same, other := tokens.Tag{1}, tokens.Tag{2}
	if o, err := tokens.Judge(nil, same); o != tokens.Fresh || err != nil {
		t.Fatalf("absent: %d, %v", o, err)
	}
	if o, err := tokens.Judge(&same, same); o != tokens.Resume || err != nil {
		t.Fatalf("same: %d, %v", o, err)
	}
	if o, err := tokens.Judge(&same, other); o != 0 || !errors.Is(err, tokens.ErrDoubleSpend) {
		t.Fatalf("other: %d, %v", o, err)
	}
}

func TestParseTagIsStrict(t *testing.T) {
	for n := range 20 {
		_, err := tokens.ParseTag(make([]byte, n))
		if n == 16 && err != nil || n != 16 && !errors.Is(err, tokens.ErrRecord) {
			t.Fatalf("%d octets: %v", n, err)
		}
	}
}
