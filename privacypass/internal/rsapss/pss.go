package rsapss

import (
	"bytes"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
)

const (
	hashSize = sha512.Size384
	// SaltSize is the salt length of the variant PSS; PSSZERO has none.
	SaltSize = hashSize
	trailer  = 0xbc
)

// Encode is EMSA-PSS-ENCODE of RFC 8017, Section 9.1.1 with SHA-384 and the salt
// given, for a modulus of size octets and eight times as many bits.
func Encode(msg, salt []byte, size int) []byte {
	em := make([]byte, size)
	db, h := em[:size-hashSize-1], em[size-hashSize-1:size-1]
	copy(h, digest(msg, salt))
	db[len(db)-len(salt)-1] = 1
	copy(db[len(db)-len(salt):], salt)
	mask(db, h)
	db[0] &= 0x7f
	em[size-1] = trailer
	return em
}

// digest returns Hash(0^8 || Hash(msg) || salt).
func digest(msg, salt []byte) []byte {
	m := sha512.Sum384(msg)
	b := append(make([]byte, 8, 8+hashSize+SaltSize), m[:]...)
	sum := sha512.Sum384(append(b, salt...))
	return sum[:]
}

// mask adds MGF1(seed) to b.
func mask(b, seed []byte) {
	in := append(make([]byte, 0, hashSize+4), seed...)
	for i := uint32(0); len(b) > 0; i++ {
		block := sha512.Sum384(binary.BigEndian.AppendUint32(in, i))
		b = b[subtle.XORBytes(b, b, block[:]):]
	}
}

// Verify is RSASSA-PSS-VERIFY of RFC 8017, Section 8.1.2 with SHA-384 and exactly
// the salt length given, 0 or [SaltSize]. It returns [ErrSignature].
func (k *PublicKey) Verify(msg, sig []byte, saltSize int) error {
	s, err := k.Decode(sig)
	if err != nil {
		return ErrSignature
	}
	em := k.Public(s).Bytes(k.n)
	size := len(em)
	db, h := em[:size-hashSize-1], em[size-hashSize-1:size-1]
	if em[size-1] != trailer || em[0] > 0x7f {
		return ErrSignature
	}
	mask(db, h)
	db[0] &= 0x7f
	padding, salt := db[:len(db)-saltSize], db[len(db)-saltSize:]
	for _, o := range padding[:len(padding)-1] {
		if o != 0 {
			return ErrSignature
		}
	}
	if padding[len(padding)-1] != 1 || !bytes.Equal(h, digest(msg, salt)) {
		return ErrSignature
	}
	return nil
}
