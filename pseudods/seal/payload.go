package seal

import (
	"encoding/binary"
	"io"
	"math/bits"

	"github.com/pseudods/pseudods/internal/secret"
)

// MinPadded is the smallest size class in octets.
const MinPadded = 256

// MaxPlaintext is the longest message that can be sealed, in octets.
const MaxPlaintext = 1 << 26

const lengthSize = 4

// PaddedSize returns the size class for n octets, not smaller than n: the classes
// of Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
// Communication with PURBs", 2019), at least [MinPadded]. A class tells
// O(log log n) bits of the length and costs at most 12 %.
func PaddedSize(n int) int {
	if n <= MinPadded {
		return MinPadded
	}
	e := bits.Len(uint(n)) - 1    // floor(log2 n)
	last := e - bits.Len(uint(e)) // how many low bits become zero
	mask := 1<<last - 1
	return (n + mask) &^ mask
}

// pad prefixes b with its length and appends zeros up to its size class.
func pad(b []byte) ([]byte, error) {
	if len(b) > MaxPlaintext {
		return nil, ErrTooLarge
	}
	out := make([]byte, PaddedSize(lengthSize+len(b)), PaddedSize(lengthSize+len(b))+16)
	binary.BigEndian.PutUint32(out, uint32(len(b)))
	copy(out[lengthSize:], b)
	return out, nil
}

func unpad(b []byte) ([]byte, error) {
	if len(b) < lengthSize {
		return nil, ErrOpen
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-lengthSize) {
		return nil, ErrOpen
	}
	return b[lengthSize:][:n:n], nil
}

// SealPayload encrypts a message, padded, under a new key. It fails with
// [ErrTooLarge] or if rand does.
func SealPayload(rand io.Reader, message []byte) (ciphertext []byte, key secret.Bytes, err error) {
	k := make([]byte, payloadKeySize)
	if _, err := io.ReadFull(rand, k); err != nil {
		return nil, secret.Bytes{}, err
	}
	padded, err := pad(message)
	if err != nil {
		return nil, secret.Bytes{}, err
	}
	return newGCM(k).Seal(padded[:0], zeroNonce[:], padded, nil), secret.New(k), nil
}

// OpenPayload opens what [SealPayload] made, with the key from an [Entry]. It
// fails with [ErrOpen].
func OpenPayload(key secret.Bytes, ciphertext []byte) ([]byte, error) {
	if key.Len() != payloadKeySize {
		return nil, ErrKey
	}
	padded, err := newGCM(key.Reveal()).Open(nil, zeroNonce[:], ciphertext, nil)
	if err != nil {
		return nil, ErrOpen
	}
	return unpad(padded)
}
