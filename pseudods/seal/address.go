package seal

import (
	"crypto/sha256"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const addressInfo = "pseudods 1.0 queue address"

// Use is where a bound address may be used: by one delivery service, for one
// group. The zero Use is that of an address that is not bound.
type Use struct {
	Domain  string // of the delivery service
	Binding [sha256.Size]byte
}

// Binding ties an address to a group for a queue service that must not learn
// the group. The delivery service computes it itself, from the group in which it
// found the address: an address copied to another group then does not open.
func Binding(groupID []byte, nonce [wire.NonceSizeAddress]byte) [sha256.Size]byte {
	const label = "pseudods 1.0 address binding"
	var buf [128]byte
	b := append(append(buf[:0], byte(len(label))), label...) // opaque<V>
	return sha256.Sum256(append(append(b, nonce[:]...), groupID...))
}

// associated is what an address's ciphertext authenticates: its kind, and for
// a bound one its use.
func associated(kind wire.AddressKind, use Use) []byte {
	w := tlscodec.NewWriter(nil)
	w.Uint8(uint8(kind))
	if kind == wire.AddressBound {
		w.Opaque([]byte(use.Domain))
		w.Raw(use.Binding[:])
	}
	b, _ := w.Bytes() // a domain is shorter than any limit
	return b
}

// SealAddress seals an address of a queue to a key of its service. For a kind
// other than bound, use is not looked at. It fails with [ErrKey].
func SealAddress(key *wire.HPKEKey, kind wire.AddressKind, queue wire.QueueID, address wire.AddressID, use Use) (*wire.SealedAddress, error) {
	kemOutput, ciphertext, err := sealTo(key, addressInfo, associated(kind, use), append(queue[:], address[:]...))
	if err != nil {
		return nil, err
	}
	return &wire.SealedAddress{Kind: kind, KeyID: key.ID(), KEMOutput: kemOutput, Ciphertext: ciphertext}, nil
}

// OpenAddress opens an address for a use. It fails with [ErrOpen].
func OpenAddress(key *PrivateKey, a *wire.SealedAddress, use Use) (queue wire.QueueID, address wire.AddressID, err error) {
	b, err := key.open(addressInfo, associated(a.Kind, use), a.KEMOutput, a.Ciphertext)
	if err != nil {
		return queue, address, err
	}
	if len(b) != len(queue)+len(address) {
		return queue, address, ErrOpen
	}
	copy(queue[:], b)
	copy(address[:], b[len(queue):])
	return queue, address, nil
}

// StreamOf returns the identifier of the part of a reusable address that
// belongs to one use.
func StreamOf(address wire.AddressID, use Use) wire.AddressID {
	w := tlscodec.NewWriter(nil)
	w.Opaque([]byte("pseudods 1.0 address stream"))
	w.Raw(address[:])
	w.Opaque([]byte(use.Domain))
	w.Raw(use.Binding[:])
	b, _ := w.Bytes()
	h := sha256.Sum256(b)
	return wire.AddressID(h[:len(wire.AddressID{})])
}
