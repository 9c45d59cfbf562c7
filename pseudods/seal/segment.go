package seal

import (
	"crypto/cipher"
	"crypto/hpke"
	"encoding/binary"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	segmentInfo  = "pseudods 1.0 queue segment"
	segmentLabel = "segment key"
)

// Segment is the key of a run of entries of one queue. It is immutable and safe
// for concurrent use.
type Segment struct {
	aead cipher.AEAD
}

func segmentContext(queue wire.QueueID) []byte { return append([]byte(segmentInfo), queue[:]...) }

// SegmentKey is what a [Segment] is made of. It takes a tenth of the memory.
type SegmentKey struct{ key secret.Bytes }

// Segment makes the segment, which takes as long as sealing an entry does.
func (k SegmentKey) Segment() *Segment { return &Segment{newGCM(k.key.Reveal())} }

// NewSegment makes a key and encapsulates it to the queue owner's. The queue
// service forgets it with the process, and after a bounded number of entries or
// time. It fails with [ErrKey].
func NewSegment(owner *wire.HPKEKey, queue wire.QueueID) (k SegmentKey, kemOutput []byte, err error) {
	public, err := parsePublic(owner)
	if err != nil {
		return k, nil, err
	}
	kemOutput, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.ExportOnly(), segmentContext(queue))
	if err != nil {
		return k, nil, ErrKey
	}
	key, err := sender.Export(segmentLabel, 32)
	if err != nil {
		return k, nil, err
	}
	return SegmentKey{secret.New(key)}, kemOutput, nil
}

// OpenSegment is the owner's side of [NewSegment]. It fails with [ErrOpen].
func OpenSegment(owner *PrivateKey, queue wire.QueueID, kemOutput []byte) (*Segment, error) {
	recipient, err := hpke.NewRecipient(kemOutput, owner.key, hpke.HKDFSHA256(), hpke.ExportOnly(), segmentContext(queue))
	if err != nil {
		return nil, ErrOpen
	}
	key, err := recipient.Export(segmentLabel, 32)
	if err != nil {
		return nil, ErrOpen
	}
	return &Segment{newGCM(key)}, nil
}

func segmentNonce(counter uint32) (nonce [12]byte) {
	binary.BigEndian.PutUint32(nonce[8:], counter)
	return nonce
}

// itemRoom is what an item has in octets beside an inline payload, at most, and what
// sealing it adds.
const itemRoom = 160 + 16

// Seal encrypts an item. A counter must be used once under a segment.
func (s *Segment) Seal(counter uint32, item *wire.Item) ([]byte, error) {
	size := itemRoom
	if item.Ticket == nil {
		size += len(item.Inline)
	}
	nonce := segmentNonce(counter)
	// The nonce lies in front, as it would be allocated by itself otherwise.
	w := tlscodec.NewWriter(append(make([]byte, 0, len(nonce)+size), nonce[:]...))
	item.MarshalTLS(w)
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mls.ErrEncode, err)
	}
	n := len(nonce)
	return s.aead.Seal(b[n:n], b[:n], b[n:], nil), nil
}

// Open decrypts an entry. It fails with [ErrOpen], or [wire.ErrMalformed] if the
// service sealed what is not an item.
func (s *Segment) Open(e *wire.QueueEntry) (*wire.Item, error) {
	nonce := segmentNonce(e.Counter)
	b, err := s.aead.Open(nil, nonce[:], e.Ciphertext, nil)
	if err != nil {
		return nil, ErrOpen
	}
	item := new(wire.Item)
	if err := mls.Unmarshal(b, item); err != nil {
		return nil, err
	}
	return item, nil
}
