package seal_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// FuzzOpen: whatever a service or a stranger sends ends in a typed error.
func FuzzOpen(f *testing.F) {
	k := key(f, wire.X25519)
	segment, kemOutput, err := seal.NewSegment(k.Public(), wire.QueueID{})
	if err != nil {
		f.Fatal(err)
	}
	ciphertext, err := segment.Segment().Seal(0, &wire.Item{Kind: wire.ItemOffer})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(kemOutput, ciphertext)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if s, err := seal.OpenSegment(k, wire.QueueID{}, a); err == nil {
			_, err = s.Open(&wire.QueueEntry{Ciphertext: b})
			check(t, err)
		}
		_, _, err := seal.OpenAddress(k, &wire.SealedAddress{Kind: wire.AddressBound, KEMOutput: a, Ciphertext: b}, seal.Use{})
		check(t, err)
		_, err = seal.OpenOffer(k, &wire.ContactCard{Address: wire.SealedAddress{Kind: wire.AddressReusable, KEMOutput: []byte{1},
			Ciphertext: make([]byte, wire.AddressCiphertextSize)}}, append(a, b...))
		check(t, err)
		var e [wire.EntrySize]byte
		copy(e[copy(e[:], a):], b)
		_, err = seal.OpenWelcomeEntry(k, &e)
		check(t, err)
	})
}

func check(t *testing.T, err error) {
	if err != nil && !errors.Is(err, seal.ErrOpen) && !errors.Is(err, wire.ErrMalformed) {
		t.Fatal(err)
	}
}
