package wallet_test

import (
	"bytes"
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

func TestSeedIsValid(t *testing.T) {
	for _, b := range [][]byte{emptyState, stateSeed} {
		if _, err := wallet.ParseState(b); err != nil {
			t.Fatal(err)
		}
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
