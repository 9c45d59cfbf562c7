package atrest

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// Kind says what a record is.
type Kind uint8

const (
	KindHeader   Kind = 1  // context, transcript, counters, policy
	KindNode     Kind = 2  // a node of the ratchet tree
	KindMembers  Kind = 3  // a page of sealed queue addresses and limiter state
	KindProposal Kind = 4  // a pending proposal
	KindJoin     Kind = 5  // what a welcomed member has not fetched yet
	KindOutbox   Kind = 6  // a message to be delivered
	KindRetained Kind = 7  // an epoch whose tree newcomers wait for
	KindUser     Kind = 8  // the leaves of one user
	KindRoster   Kind = 9  // a part of the roster
	KindOutcome  Kind = 10 // the commit that began an epoch
	KindActivity Kind = 11 // when members were heard of
)

// Place is where a record stands in its group. All of it is authenticated, so
// that a record can not be moved, nor an old one be put in a newer one's place.
type Place struct {
	Kind    Kind
	Index   uint64
	Version uint64
}

// minPadded: records are padded to at least this many octets before they are
// sealed.
const minPadded = 64

// paddedSize is Padmé with a floor (Nikitin et al., PETS 2019): the size class of
// n octets. It adds at most 12 % and leaves O(log log n) bits of the size to see.
func paddedSize(n int) int {
	if n <= minPadded {
		return minPadded
	}
	e := bits.Len(uint(n)) - 1
	low := e - bits.Len(uint(e))
	mask := 1<<low - 1
	return (n + mask) &^ mask
}

// Seal encrypts a record for its place under the newest data key. The result is
// the generation in 4 octets, a nonce of 12, the padded record and a tag of 16.
func (k *Keys) Seal(rand io.Reader, p Place, plain []byte) ([]byte, error) {
	padded := make([]byte, paddedSize(len(plain)+1))
	copy(padded, plain)
	padded[len(plain)] = 0x80
	sealed, err := sealWith(newAEAD(k.data[k.newest].Reveal()), rand, padded, k.placeContext(p, k.newest))
	clear(padded)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(sealed)), uint32(k.newest)), sealed...), nil
}

// Open decrypts a record that stands at p. It fails with [ErrRecord],
// [ErrGeneration] or [ErrKey].
func (k *Keys) Open(p Place, record []byte) ([]byte, error) {
	if len(record) < 4 {
		return nil, ErrRecord
	}
	g := Generation(binary.BigEndian.Uint32(record))
	key, err := k.key(g)
	if err != nil {
		return nil, err
	}
	padded, ok := openWith(newAEAD(key.Reveal()), record[4:], k.placeContext(p, g))
	if !ok {
		return nil, ErrRecord
	}
	n := len(padded) - 1
	for n >= 0 && padded[n] == 0 {
		n--
	}
	if n < 0 || padded[n] != 0x80 || paddedSize(n+1) != len(padded) {
		return nil, ErrRecord
	}
	return padded[:n:n], nil
}

func (k *Keys) placeContext(p Place, g Generation) []byte {
	return k.context("record", uint64(p.Kind), p.Index, p.Version, uint64(g))
}
