package wallet_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/client/wallet"
	"github.com/pseudods/pseudods/internal/secret"
)

// emptyState is the plaintext of a new wallet, stateSeed that of one with a
// token of type 0x0005, a fetch and a request that holds another token.
var (
	emptyState = make([]byte, 3+8)
	stateSeed  = slices.Concat(
		[]byte("\x40\xa9\x04send\x00\xa2"), []byte("\x00\x05"), make([]byte, 160),
		[]byte("\x40\x46\x04send"), make([]byte, 64), []byte("\x00"),
		[]byte("\x40\xb7"), make([]byte, 7), []byte("\x01\x03req"),
		[]byte("\x40\xa9\x04send\x00\xa2\x00\x05"), bytes.Repeat([]byte{1}, 160),
		make([]byte, 7), []byte("\x02"),
	)
)

func TestStateIsConsistent(t *testing.T) {
	for _, b := range [][]byte{emptyState, stateSeed} {
		if _, err := wallet.ParseState(b); err != nil {
			t.Fatal(err)
		}
	}
	const held = 2 + 169 + 2 + 70 + 2 + 8 + 4 + 2 // where the token of the request begins
	for name, change := range map[string]func([]byte){
		"a token twice":       func(b []byte) { copy(b[held:], b[2:2+169]) },
		"an id that is ahead": func(b []byte) { b[len(b)-1] = 1 },
		"a reserved type":     func(b []byte) { b[held+8] = 0 },
	} {
		b := bytes.Clone(stateSeed)
		change(b)
		if _, err := wallet.ParseState(b); !errors.Is(err, wallet.ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fetches := bytes.Repeat(append([]byte("\x04send"), make([]byte, 65)...), 2)
	if _, err := wallet.ParseState(slices.Concat([]byte("\x00\x40\x8c"), fetches, make([]byte, 9))); !errors.Is(err, wallet.ErrFile) {
		t.Errorf("two fetches of one class: %v", err)
	}
	spendings := slices.Concat(make([]byte, 10), make([]byte, 10)) // of the same id
	if _, err := wallet.ParseState(slices.Concat([]byte("\x00\x00\x14"), spendings, []byte("\x00\x00\x00\x00\x00\x00\x00\x02"))); !errors.Is(err, wallet.ErrFile) {
		t.Errorf("two requests of one id: %v", err)
	}
}

func FuzzState(f *testing.F) {
	f.Add(emptyState)
	f.Add(stateSeed)
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := wallet.ParseState(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("read %x, wrote %x", b, again)
		}
	})
}

// FuzzFile tampers with a sealed file and with what is inside one.
func FuzzFile(f *testing.F) {
	key := secret.New(make([]byte, wallet.KeySize))
	sealed, err := wallet.Seal(key, bytes.NewReader(make([]byte, 32)), emptyState)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(emptyState)
	f.Fuzz(func(t *testing.T, b []byte) {
		if plaintext, err := wallet.Unseal(key, b); err == nil && !bytes.Equal(b, sealed) {
			t.Fatalf("opened a file that nobody sealed: %x", plaintext)
		}
		if plaintext, err := wallet.Unpad(b); err == nil && !bytes.Equal(wallet.Pad(plaintext), b) {
			t.Fatalf("padding of %x", b)
		}
	})
}
