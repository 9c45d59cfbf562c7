package verify_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/verify"
)

func generate(t testing.TB, typ privacypass.TokenType, rand io.Reader) issuer.Key {
	t.Helper()
	k, err := issuer.GenerateKey(typ, rand)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVerify(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		f := newFixture(t, generate(t, typ, rand.Reader))
		tok := f.issue(t)
		r, err := f.set.Verify(tok, f.expected)
		if err != nil {
			t.Fatalf("%v: %v", typ, err)
		}
		if r.IsZero() || r.TokenType() != typ || r.KeyID() != f.key.ID() || r.Nonce() != tok.Nonce || r.ChallengeDigest() != tok.ChallengeDigest {
			t.Errorf("%v: %+v", typ, r)
		}
		if f.verifying.TokenType() != typ || f.verifying.ID() != f.key.ID() {
			t.Errorf("%v: key %v", typ, f.verifying.ID())
		}
	}
}

// TestEveryOctetCounts: a token changed in any octet is refused, with nothing to
// record as spent.
func TestEveryOctetCounts(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		f := newFixture(t, generate(t, typ, rand.Reader), verify.PSS, verify.PSSZero)
		good, err := f.issue(t).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			tok, err := privacypass.ParseToken(bad)
			if err != nil {
				continue // another type
			}
			r, err := f.set.Verify(tok, f.expected)
			if !errors.Is(err, verify.ErrRefused) || !r.IsZero() {
				t.Errorf("%v: octet %d changed: %v", typ, i, err)
			}
			want := verify.ErrAuthenticator
			switch {
			case i >= 34 && i < 66:
				want = verify.ErrChallenge
			case i >= 66 && i < 98:
				want = verify.ErrUnknownKey
			}
			if !errors.Is(err, want) {
				t.Errorf("%v: octet %d changed: %v, want %v", typ, i, err, want)
			}
		}
		short := *f.issue(t)
		for _, a := range [][]byte{nil, short.Authenticator[1:], append(bytes.Clone(short.Authenticator), 0)} {
			short.Authenticator = a
			if _, err := f.set.Verify(&short, f.expected); !errors.Is(err, verify.ErrAuthenticator) {
				t.Errorf("%v: authenticator of %d octets: %v", typ, len(a), err)
			}
		}
	}
}

// TestChallengeBinding: a token for another challenge is refused, whichever part
// of the challenge differs, and so is every token where nothing is expected.
func TestChallengeBinding(t *testing.T) {
	f := newFixture(t, generate(t, privacypass.VOPRFRistretto255, rand.Reader))
	tok := f.issue(t)
	for name, change := range map[string]func(*privacypass.TokenChallenge){
		"type":    func(c *privacypass.TokenChallenge) { c.TokenType = privacypass.VOPRFP384 },
		"issuer":  func(c *privacypass.TokenChallenge) { c.IssuerName = "other.example" },
		"context": func(c *privacypass.TokenChallenge) { c.RedemptionContext = make([]byte, 32) },
		"origin":  func(c *privacypass.TokenChallenge) { c.OriginInfo = nil },
	} {
		c := *f.challenge
		change(&c)
		e, err := verify.Expect(&c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.set.Verify(tok, e); !errors.Is(err, verify.ErrChallenge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.set.Verify(tok, verify.Expected{}); !errors.Is(err, verify.ErrChallenge) {
		t.Errorf("nothing expected: %v", err)
	}
	if _, err := f.set.Verify(&privacypass.Token{}, verify.Expected{}); !errors.Is(err, verify.ErrChallenge) {
		t.Errorf("empty token, nothing expected: %v", err)
	}
	if _, err := verify.Expect(&privacypass.TokenChallenge{}); err == nil {
		t.Error("an invalid challenge can be expected")
	}
	// The right challenge does not help at a set of another issuer's keys, even if
	// the keys are the same.
	other, err := verify.NewKeySet("other.example", f.verifying)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Verify(tok, f.expected); !errors.Is(err, verify.ErrChallenge) {
		t.Errorf("another issuer's set: %v", err)
	}
}

// TestSaltVariants: PSSZERO tokens pass only where they are wanted, and PSS tokens
// not where PSSZERO alone is.
func TestSaltVariants(t *testing.T) {
	k := generate(t, privacypass.BlindRSA, rand.Reader)
	f := newFixture(t, k)
	tokens := map[verify.Variant]*privacypass.Token{verify.PSS: f.issueWith(t, false), verify.PSSZero: f.issueWith(t, true)}
	for _, accept := range [][]verify.Variant{nil, {verify.PSS}, {verify.PSSZero}, {verify.PSS, verify.PSSZero}} {
		f := newFixture(t, k, accept...)
		for v, tok := range tokens {
			want := v == verify.PSS && accept == nil
			for _, a := range accept {
				want = want || a == v
			}
			if _, err := f.set.Verify(tok, f.expected); (err == nil) != want {
				t.Errorf("variant %d where %v pass: %v", v, accept, err)
			}
		}
	}
	if _, err := verify.NewBlindRSA(k.PublicKey(), 9); !errors.Is(err, verify.ErrKey) {
		t.Errorf("unknown variant: %v", err)
	}
}

func TestPublicKeyIsStrict(t *testing.T) {
	b := generate(t, privacypass.BlindRSA, rand.Reader).PublicKey()
	for n := range b {
		if _, err := verify.NewBlindRSA(b[:n]); !errors.Is(err, verify.ErrKey) {
			t.Errorf("prefix of %d octets: %v", n, err)
		}
	}
	if _, err := verify.NewBlindRSA(append(bytes.Clone(b), 0)); !errors.Is(err, verify.ErrKey) {
		t.Errorf("trailing octet: %v", err)
	}
}

func FuzzPublicKey(f *testing.F) {
	f.Add(generate(f, privacypass.BlindRSA, rand.Reader).PublicKey())
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := verify.NewBlindRSA(b)
		if err != nil {
			return
		}
		if k.ID() != privacypass.KeyIDOf(b) {
			t.Fatal("identifier of another key")
		}
		if err := k.Check(&privacypass.Token{TokenType: privacypass.BlindRSA, Authenticator: make([]byte, 256)}); err == nil {
			t.Fatal("a signature of zeros verifies")
		}
	})
}

// FuzzVerify: nothing but the one token that was issued verifies.
func FuzzVerify(f *testing.F) {
	// The same token in every process: the corpus of one means something to another.
	random := mathrand.NewChaCha8([32]byte{3})
	fix := newFixture(f, generate(f, privacypass.VOPRFRistretto255, random))
	fix.random = random
	issued, err := fix.issue(f).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(issued)
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := privacypass.ParseToken(b)
		if err != nil {
			return
		}
		r, err := fix.set.Verify(tok, fix.expected)
		if err == nil && !bytes.Equal(b, issued) {
			t.Fatalf("%x verifies", b)
		}
		if err != nil && (!errors.Is(err, verify.ErrRefused) || !r.IsZero()) {
			t.Fatal(err)
		}
	})
}
