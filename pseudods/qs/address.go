package qs

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// place is what an opened address leads to.
type place struct {
	queue           wire.QueueID
	address, stream wire.AddressID
	mark, parent    Mark
	claim           Mark
}

// hashTo returns the beginning of a hash of parts of fixed sizes.
func hashTo(label string, parts ...[]byte) (m Mark) {
	h := sha256.New()
	h.Write([]byte(label))
	for _, p := range parts {
		h.Write(p)
	}
	var sum [sha256.Size]byte
	copy(m[:], h.Sum(sum[:0]))
	return m
}

func markOf(queue wire.QueueID, address wire.AddressID) Mark {
	return hashTo("pseudods 1.0 address mark", queue[:], address[:])
}

// open opens an address for a use, or reports false. An address that was opened
// before costs no public-key operation; whether it was revoked or bound to
// another group since is for the store to say.
func (s *Service) open(a *wire.SealedAddress, use seal.Use) (place, bool) {
	key := s.cfg.Keys.Key(a.KeyID)
	if key == nil {
		return place{}, false
	}
	id := cacheKey(a, &use)
	now := s.cfg.Now()
	if p, ok := s.addresses.get(id, now); ok {
		return p, true
	}
	queue, address, err := seal.OpenAddress(key, a, use)
	if err != nil {
		return place{}, false
	}
	p := place{queue: queue, address: address, stream: address}
	switch a.Kind {
	case wire.AddressOneTime:
		p.claim = hashTo("pseudods 1.0 address claim", queue[:], use.Binding[:], []byte(use.Domain))
	case wire.AddressReusable:
		p.stream = seal.StreamOf(address, use)
		p.parent = markOf(queue, address)
	}
	p.mark = markOf(queue, p.stream)
	s.addresses.put(id, p, now)
	return p, true
}

// cacheKey covers all that opening depends on. The address key's identifier
// stands for the key.
func cacheKey(a *wire.SealedAddress, use *seal.Use) [sha256.Size]byte {
	var buf [512]byte
	b := append(buf[:0], byte(a.Kind))
	b = append(b, a.KeyID[:]...)
	for _, part := range [][]byte{a.KEMOutput, a.Ciphertext, use.Binding[:], []byte(use.Domain)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(b)
}

func checkKey(k *wire.HPKEKey) error {
	if seal.CheckKey(k) != nil {
		return ErrKey
	}
	return nil
}
