package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Sizes in octets.
const (
	DeliverySecretSize = 32
	payloadKeySize     = 32
	entryContentSize   = payloadKeySize + 8
	entrySalt          = wire.EntrySize - entryContentSize - 16
)

// DeliverySecret is shared by a member and the delivery service of its group. An
// address has one for its whole life: whoever replaces the secret replaces the
// address.
type DeliverySecret struct{ secret.Bytes }

// Entry is what a delivery service tells one recipient of a message.
type Entry struct {
	// PayloadKey opens the payload.
	PayloadKey secret.Bytes
	// Sequence is the message's place in its group. A message for one member has
	// that of the last one before it that was for all.
	Sequence uint64
}

// marshal appends to b, which the caller has made large enough.
func (e *Entry) marshal(b []byte) []byte {
	if e.PayloadKey.Len() != payloadKeySize {
		panic("seal: payload key of a wrong size")
	}
	return binary.BigEndian.AppendUint64(append(b, e.PayloadKey.Reveal()...), e.Sequence)
}

func parseEntry(b []byte) (*Entry, error) {
	if len(b) != entryContentSize {
		return nil, ErrOpen
	}
	return &Entry{secret.New(b[:payloadKeySize:payloadKeySize]), binary.BigEndian.Uint64(b[payloadKeySize:])}, nil
}

// entryAEAD derives a key that is used once, from the salt.
func (s DeliverySecret) entryAEAD(salt []byte) cipher.AEAD {
	if s.Len() != DeliverySecretSize {
		panic("seal: delivery secret of a wrong size")
	}
	key := mac(s.Reveal(), "pseudods 1.0 entry", salt)
	return newGCM(key[:])
}

func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("seal: AES key of a wrong size")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("seal: GCM refused AES")
	}
	return aead
}

var zeroNonce [12]byte // for keys that are used once

// SealEntry seals e to the member with whom the delivery service shares s. It
// fails only if rand does.
func SealEntry(rand io.Reader, s DeliverySecret, e *Entry) (sealed [wire.EntrySize]byte, err error) {
	err = e.SealTo(&sealed, rand, s)
	return sealed, err
}

// SealTo is [SealEntry] into an array, for who fills many.
func (e *Entry) SealTo(sealed *[wire.EntrySize]byte, rand io.Reader, s DeliverySecret) error {
	salt := sealed[:entrySalt]
	if _, err := io.ReadFull(rand, salt); err != nil {
		return err
	}
	content := e.marshal(sealed[entrySalt:entrySalt])
	s.entryAEAD(salt).Seal(salt, zeroNonce[:], content, nil) // in place
	return nil
}

// OpenEntry opens what [SealEntry] made. It fails with [ErrOpen].
func OpenEntry(s DeliverySecret, sealed *[wire.EntrySize]byte) (*Entry, error) {
	b, err := s.entryAEAD(sealed[:entrySalt]).Open(nil, zeroNonce[:], sealed[entrySalt:], nil)
	if err != nil {
		return nil, ErrOpen
	}
	return parseEntry(b)
}

const welcomeInfo = "pseudods 1.0 welcome entry"

// SealWelcomeEntry seals e to the key in a [wire.KeyPackageAddress]: a joiner
// has no delivery secret before it has opened its Welcome. The result has the
// form and size of other entries.
func SealWelcomeEntry(welcomeKey [32]byte, e *Entry) (sealed [wire.EntrySize]byte, err error) {
	kemOutput, ciphertext, err := sealTo(&wire.HPKEKey{KEM: wire.X25519, Public: welcomeKey[:]}, welcomeInfo, nil, e.marshal(make([]byte, 0, entryContentSize)))
	if err != nil {
		return sealed, err
	}
	copy(sealed[copy(sealed[:], kemOutput):], ciphertext)
	return sealed, nil
}

// OpenWelcomeEntry opens what [SealWelcomeEntry] made. It fails with [ErrOpen].
func OpenWelcomeEntry(key *PrivateKey, sealed *[wire.EntrySize]byte) (*Entry, error) {
	if key.public.KEM != wire.X25519 {
		return nil, ErrKey
	}
	b, err := key.open(welcomeInfo, nil, sealed[:entrySalt], sealed[entrySalt:])
	if err != nil {
		return nil, err
	}
	return parseEntry(b)
}

// Number returns the delivery number of a message to the member with whom the
// delivery service shares s, which grows with the sequence. It begins at a
// secret place, so that the numbers of a group's members do not tell a queue
// service, or who copies its store, which of them belong together. sequence must
// be below 2^62, and must not be given to another message, also after the
// delivery service's store was restored from a copy.
func Number(s DeliverySecret, sequence uint64) uint64 {
	start := mac(s.Reveal(), "pseudods 1.0 delivery number", nil)
	return binary.BigEndian.Uint64(start[:])>>2 + 1 + sequence
}
