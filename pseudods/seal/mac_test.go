package seal_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/pseudods/pseudods/pseudods/seal"
)

func TestMACIsTheStandardOne(t *testing.T) {
	for keySize := range 33 {
		key := bytes.Repeat([]byte{byte(keySize)}, keySize)
		for n := range 33 {
			message := bytes.Repeat([]byte{byte(n)}, n)
			h := hmac.New(sha256.New, key)
			h.Write([]byte("label"))
			h.Write(message)
			if got := seal.MAC(key, "label", message); !bytes.Equal(got[:], h.Sum(nil)) {
				t.Fatalf("key of %d, message of %d octets: %x", keySize, n, got)
			}
		}
	}
}

// BenchmarkRecipient is what a delivery service seals for one recipient.
func BenchmarkRecipient(b *testing.B) {
	s, e := seal.DeliverySecret{Bytes: secretBytes(32)}, &seal.Entry{PayloadKey: secretBytes(32), Sequence: 3}
	group := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := seal.SealEntry(rand.Reader, s, e); err != nil {
			b.Fatal(err)
		}
		seal.Number(s, 1)
		seal.Binding(group, [16]byte{})
	}
}
