package wallet_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/client/wallet"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/tokens"
)

func TestFileIsSealed(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	var token privacypass.Token
	s, err := w.Spend(tokens.Send, 1, func(held []*privacypass.Token) ([]byte, error) {
		token = *held[0]
		return compose("a text to look for")(held)
	})
	check(t, err)
	file, err := os.ReadFile(r.cfg.Path)
	check(t, err)
	plaintext, err := wallet.Unseal(r.cfg.Key, file)
	check(t, err)
	for name, part := range map[string][]byte{
		"request": []byte("a text to look for"), "nonce": token.Nonce[:], "key id": token.KeyID[:],
		"class": []byte("\x04send\x00\xa2\x00\x05"), // with its length, and size and type of a token
	} {
		if !bytes.Contains(plaintext, part) {
			t.Errorf("the plaintext does not show the %s", name)
		}
		if bytes.Contains(file, part) {
			t.Errorf("the file shows the %s", name)
		}
	}
	info, err := os.Stat(r.cfg.Path)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	check(t, s.Done())
	after, err := os.ReadFile(r.cfg.Path)
	check(t, err)
	if len(after) != len(file) {
		t.Error("the size shows that a token was spent")
	}
	entries, err := os.ReadDir(filepath.Dir(r.cfg.Path))
	check(t, err)
	if len(entries) != 2 { // the wallet and its lock
		t.Errorf("%d files are left", len(entries))
	}
}

func TestDamagedFileIsRefused(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	r.filled().Close()
	file, err := os.ReadFile(r.cfg.Path)
	check(t, err)
	refused := func(name string, b []byte) {
		t.Helper()
		check(t, os.WriteFile(r.cfg.Path, b, 0o600))
		if _, err := wallet.Open(r.cfg); !errors.Is(err, wallet.ErrFile) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for n := range file {
		if _, err := wallet.Unseal(r.cfg.Key, file[:n]); !errors.Is(err, wallet.ErrFile) {
			t.Fatalf("a prefix of %d octets: %v", n, err)
		}
	}
	refused("empty", nil)
	refused("cut short", file[:len(file)-1])
	refused("trailing octet", append(bytes.Clone(file), 0))
	for i := 0; i < len(file); i += 7 {
		damaged := bytes.Clone(file)
		damaged[i] ^= 0x40
		if _, err := wallet.Unseal(r.cfg.Key, damaged); !errors.Is(err, wallet.ErrFile) {
			t.Fatalf("octet %d changed: %v", i, err)
		}
	}
	newer := bytes.Clone(file)
	newer[len("pseudods wallet\x00")]++
	refused("another version", newer)
	check(t, os.WriteFile(r.cfg.Path, file, 0o600))
	other := r.cfg
	other.Key = secret.New(make([]byte, wallet.KeySize))
	_, err = wallet.Open(other)
	wantErr(t, err, wallet.ErrFile)
	if n := r.open().Count(tokens.Send); n != batch {
		t.Fatalf("%d tokens", n)
	}
}

func TestSaltsDiffer(t *testing.T) {
	key := secret.New(make([]byte, wallet.KeySize))
	a, err := wallet.Seal(key, rand.Reader, []byte("same"))
	check(t, err)
	b, err := wallet.Seal(key, rand.Reader, []byte("same"))
	check(t, err)
	if bytes.Equal(a[:60], b[:60]) || bytes.Equal(a[len(a)-16:], b[len(b)-16:]) {
		t.Fatal("two files of one plaintext are alike")
	}
}

// plaintextOf runs a wallet until it has some of everything, and returns its
// state.
func plaintextOf(t *testing.T) []byte {
	t.Helper()
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	for _, text := range []string{"a", "b"} {
		_, err := w.Spend(tokens.Send, 1, compose(text))
		check(t, err)
	}
	r.before = []error{errLost}
	wantErr(t, w.Refill(t.Context()), errLost)
	file, err := os.ReadFile(r.cfg.Path)
	check(t, err)
	plaintext, err := wallet.Unseal(r.cfg.Key, file)
	check(t, err)
	return plaintext
}

func TestStateIsStrict(t *testing.T) {
	plaintext := plaintextOf(t)
	again, err := wallet.ParseState(plaintext)
	if err != nil || !bytes.Equal(again, plaintext) {
		t.Fatalf("not read back: %v", err)
	}
	for n := range plaintext {
		if _, err := wallet.ParseState(plaintext[:n]); !errors.Is(err, wallet.ErrFile) {
			t.Fatalf("a prefix of %d octets: %v", n, err)
		}
	}
	if _, err := wallet.ParseState(append(plaintext, 0)); !errors.Is(err, wallet.ErrFile) {
		t.Fatalf("a trailing octet: %v", err)
	}
}

func TestPadding(t *testing.T) {
	for _, n := range []int{0, 1, 4091, 4092, 4093, 8188, 8189} {
		b := bytes.Repeat([]byte{1}, n)
		padded := wallet.Pad(b)
		if len(padded)%4096 != 0 || len(padded) < n+4 || len(padded) >= n+4+4096 {
			t.Fatalf("%d octets were padded to %d", n, len(padded))
		}
		if back, err := wallet.Unpad(padded); err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%d octets: %v", n, err)
		}
		for _, bad := range [][]byte{padded[:len(padded)-1], append(bytes.Clone(padded), 0), append(bytes.Clone(padded), make([]byte, 4096)...)} {
			if _, err := wallet.Unpad(bad); !errors.Is(err, wallet.ErrFile) {
				t.Fatalf("%d octets, padding of %d: %v", n, len(bad), err)
			}
		}
	}
	dirty := wallet.Pad([]byte("x"))
	dirty[len(dirty)-1] = 1
	if _, err := wallet.Unpad(dirty); !errors.Is(err, wallet.ErrFile) {
		t.Fatal("padding that is not zero")
	}
}
