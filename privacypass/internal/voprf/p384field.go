package voprf

import (
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"math/big"

	"filippo.io/bigmod"
	"filippo.io/nistec"
)

// The constants of P-384 (SP 800-186, Section 3.2.1.4) and of its
// simplified SWU map (RFC 9380, Section 8.3): a = -3 and z = -12.
const (
	p384PrimeHex = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff"
	p384OrderHex = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"
	p384BHex     = "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef"
)

// p384WideSize is L of the suite: 72 octets reduce with negligible bias.
const p384WideSize = 72

var (
	p384Prime = mustModulus(mustHex(p384PrimeHex))
	p384Order = mustModulus(mustHex(p384OrderHex))

	// p384Wide holds any 72 octets, for reduction modulo the two primes.
	p384Wide = mustModulus(append([]byte{1}, append(make([]byte, p384WideSize-1), 1)...))

	fieldOne     = small(1)
	fieldZ       = negField(small(12))
	fieldMinusBA = mulField(fromBytes(mustHex(p384BHex), p384Prime), invert(small(3), p384Prime))  // -b/a = b/3
	fieldBZA     = mulField(fromBytes(mustHex(p384BHex), p384Prime), invert(small(36), p384Prime)) // b/(z*a) = b/36
)

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("voprf: broken constant")
	}
	return b
}

func mustModulus(b []byte) *bigmod.Modulus {
	m, err := bigmod.NewModulus(b)
	if err != nil {
		panic("voprf: broken constant")
	}
	return m
}

// fromBytes takes octets known to be below m.
func fromBytes(b []byte, m *bigmod.Modulus) *bigmod.Nat {
	n, err := bigmod.NewNat().SetBytes(b, m)
	if err != nil {
		panic("voprf: value over its modulus")
	}
	return n
}

func small(v uint) *bigmod.Nat { return bigmod.NewNat().SetUint(v).ExpandFor(p384Prime) }

func clone(x *bigmod.Nat, m *bigmod.Modulus) *bigmod.Nat {
	return bigmod.NewNat().ExpandFor(m).Add(x, m)
}

// mul returns x*y modulo m.
func mul(x, y *bigmod.Nat, m *bigmod.Modulus) *bigmod.Nat { return clone(x, m).Mul(y, m) }

func mulField(x, y *bigmod.Nat) *bigmod.Nat { return mul(x, y, p384Prime) }

func addField(x, y *bigmod.Nat) *bigmod.Nat { return clone(x, p384Prime).Add(y, p384Prime) }

func negField(x *bigmod.Nat) *bigmod.Nat {
	return bigmod.NewNat().ExpandFor(p384Prime).Sub(x, p384Prime)
}

// invert returns the inverse of x modulo m, and 0 for 0. The inversion itself
// takes variable time; it is given x times a random factor that is taken out
// again, so that the time taken is independent of x. The result does not depend
// on the factor.
func invert(x *bigmod.Nat, m *bigmod.Modulus) *bigmod.Nat {
	var b [48]byte
	rand.Read(b[:])
	mask, err := bigmod.NewNat().SetOverflowingBytes(b[:], m)
	if err != nil {
		panic("voprf: modulus of wrong size")
	}
	masked := new(big.Int).SetBytes(mul(x, mask, m).Bytes(m))
	inverse := new(big.Int).ModInverse(masked, new(big.Int).SetBytes(m.Nat().Bytes(m)))
	if inverse == nil {
		return bigmod.NewNat().ExpandFor(m)
	}
	return mul(mask, fromBytes(inverse.FillBytes(b[:]), m), m)
}

// reduceWide reduces 72 octets modulo m.
func reduceWide(b []byte, m *bigmod.Modulus) *bigmod.Nat {
	return bigmod.NewNat().Mod(fromBytes(b, p384Wide), m)
}

// hashToP384 is hash_to_curve of the suite P384_XMD:SHA-384_SSWU_RO_, RFC 9380,
// Section 8.3. The cofactor is one. With varTime the message must be public.
func hashToP384(msg, dst []byte, varTime bool) *nistec.P384Point {
	b := expandMessageXMD(crypto.SHA384, msg, dst, 2*p384WideSize)
	u0 := reduceWide(b[:p384WideSize], p384Prime)
	u1 := reduceWide(b[p384WideSize:], p384Prime)
	p, q := mapPairToP384(u0, u1, varTime)
	return p.Add(p, q)
}

// mapPairToP384 is map_to_curve of RFC 9380, Section 6.6.2 for two field
// elements, which share the one inversion.
func mapPairToP384(u0, u1 *bigmod.Nat, varTime bool) (p, q *nistec.P384Point) {
	s0, d0 := swuDenominator(u0)
	s1, d1 := swuDenominator(u1)
	inverse := invert(mulField(d0, d1), p384Prime)
	return swuPoint(u0, s0, mulField(inverse, d1), varTime), swuPoint(u1, s1, mulField(inverse, d0), varTime)
}

// swuDenominator returns zu2 = z*u^2 and zu2^2 + zu2, or 1 in place of a zero.
func swuDenominator(u *bigmod.Nat) (zu2, d *bigmod.Nat) {
	zu2 = mulField(fieldZ, mulField(u, u))
	d = addField(mulField(zu2, zu2), zu2)
	if d.IsZero() == 1 { // happens for inputs nobody can find, and for a test's u = 0
		d = fieldOne
	}
	return zu2, d
}

// swuPoint returns the point whose x is the first of the two candidates that is
// on the curve, with the sign of u. Unless varTime is set both candidates are
// decompressed whatever the outcome: a client's input is secret until it is
// redeemed, and one square root more or less would show on the clock.
func swuPoint(u, zu2, inverse *bigmod.Nat, varTime bool) *nistec.P384Point {
	x1 := mulField(fieldMinusBA, addField(fieldOne, inverse))
	if addField(mulField(zu2, zu2), zu2).IsZero() == 1 {
		x1 = fieldBZA
	}
	sign := 2 + byte(u.IsOdd())
	p1, err1 := decompressP384(sign, x1)
	if varTime && err1 == nil {
		return p1
	}
	p2, err2 := decompressP384(sign, mulField(zu2, x1))
	if err1 == nil {
		return p1
	}
	if err2 != nil {
		panic("voprf: neither candidate is on the curve")
	}
	return p2
}

func decompressP384(sign byte, x *bigmod.Nat) (*nistec.P384Point, error) {
	return nistec.NewP384Point().SetBytes(append([]byte{sign}, x.Bytes(p384Prime)...))
}
