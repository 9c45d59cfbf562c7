// Package rsapss implements the public-key half of RSA blind signatures (RFC
// 9474, variants RSABSSA-SHA384-PSS-Deterministic and
// RSABSSA-SHA384-PSSZERO-Deterministic) and the one key encoding that token type
// 0x0002 has. It signs nothing.
//
// It is a package of its own because client, issuer and verifier share it, and
// because a verifier of public tokens must link no issuing code. crypto/rsa does
// not fit: it offers no raw public operation to blind with, cannot be asked for
// a salt of length zero alone, and sets up the modulus anew for each signature.
package rsapss

import (
	"bytes"
	"encoding/hex"
	"errors"

	"filippo.io/bigmod"
)

// The errors of this package.
var (
	// ErrKey: octets are not the encoding of a key, or the key does not work.
	ErrKey = errors.New("rsapss: invalid key")
	// ErrSignature: a signature does not verify.
	ErrSignature = errors.New("rsapss: signature does not verify")
	// ErrMessage: a message representative is out of range, or shares a factor
	// with the modulus.
	ErrMessage = errors.New("rsapss: invalid message representative")
)

// Exponent is the public exponent of all keys.
const Exponent = 65537

const (
	tokenKeyBits = 2048
	// spkiPrefix is all of a SubjectPublicKeyInfo before the modulus: id-RSASSA-PSS
	// with SHA-384, MGF1 with SHA-384 and salt length 48, then the headers of
	// RSAPublicKey and of a positive 2048-bit integer.
	spkiPrefix = "30820152" + "303d06092a864886f70d01010a" +
		"3030a00d300b0609608648016503040202a11a301806092a864886f70d010108300b0609608648016503040202a203020130" +
		"0382010f00" + "3082010a" + "0282010100"
	// spkiSuffix is the public exponent.
	spkiSuffix = "0203010001"
)

var prefix, suffix = mustHex(spkiPrefix), mustHex(spkiSuffix)

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("rsapss: broken constant")
	}
	return b
}

// PublicKey is an RSA public key, set up for use. It is immutable.
type PublicKey struct {
	n *bigmod.Modulus
}

// New takes an odd modulus of at least 1024 bits whose length is a multiple of 8
// bits. Token keys are of 2048 bits; test vectors are longer.
func New(n []byte) (*PublicKey, error) {
	if len(n) < 128 || n[0] < 0x80 || n[len(n)-1]&1 == 0 {
		return nil, ErrKey
	}
	m, err := bigmod.NewModulus(n)
	if err != nil {
		return nil, ErrKey
	}
	return &PublicKey{m}, nil
}

// ParseSPKI decodes the public key of token type 0x0002, RFC 9578, Section 6.5.
// All but the modulus is fixed there, so any other octet is [ErrKey]; key
// identifiers are digests of the encoding, and one key must not have two.
func ParseSPKI(b []byte) (*PublicKey, error) {
	n, ok := bytes.CutPrefix(b, prefix)
	if !ok {
		return nil, ErrKey
	}
	if n, ok = bytes.CutSuffix(n, suffix); !ok || len(n) != tokenKeyBits/8 {
		return nil, ErrKey
	}
	return New(n)
}

// MarshalSPKI encodes a 2048-bit key.
func (k *PublicKey) MarshalSPKI() ([]byte, error) {
	if k.n.BitLen() != tokenKeyBits {
		return nil, ErrKey
	}
	return bytes.Join([][]byte{prefix, k.n.Nat().Bytes(k.n), suffix}, nil), nil
}

// Size is the size of the modulus, of messages and of signatures in octets.
func (k *PublicKey) Size() int { return k.n.Size() }

// Modulus returns the modulus for arithmetic.
func (k *PublicKey) Modulus() *bigmod.Modulus { return k.n }

// Public raises x to the public exponent (RSAEP and RSAVP1 of RFC 8017).
func (k *PublicKey) Public(x *bigmod.Nat) *bigmod.Nat {
	return bigmod.NewNat().ExpShortVarTime(x, Exponent, k.n)
}

// Decode takes Size octets below the modulus.
func (k *PublicKey) Decode(b []byte) (*bigmod.Nat, error) {
	if len(b) != k.Size() {
		return nil, ErrMessage
	}
	x, err := bigmod.NewNat().SetBytes(b, k.n)
	if err != nil {
		return nil, ErrMessage
	}
	return x, nil
}
