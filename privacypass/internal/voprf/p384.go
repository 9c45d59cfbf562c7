package voprf

import (
	"crypto"
	"io"

	"filippo.io/bigmod"
	"filippo.io/nistec"
)

// P384 is the suite P384-SHA384 of RFC 9497, Section 4.4. Elements are 49
// octets, scalars and outputs 48.
var P384 Suite = newSuite[p384Element, p384Scalar](p384Group{}, "P384-SHA384", crypto.SHA384, 48)

type (
	p384Group   struct{}
	p384Element = *nistec.P384Point
	p384Scalar  = *bigmod.Nat
)

func (p384Group) hashToGroup(msg, dst []byte) p384Element { return hashToP384(msg, dst, false) }

func (p384Group) varTimeHashToGroup(msg, dst []byte) p384Element { return hashToP384(msg, dst, true) }

func (p384Group) hashToScalar(msg, dst []byte) p384Scalar {
	return reduceWide(expandMessageXMD(crypto.SHA384, msg, dst, p384WideSize), p384Order)
}

// randomScalar draws until 48 octets lie between zero and the order, which the
// first draw misses with probability 2^-190.
func (g p384Group) randomScalar(rand io.Reader) (p384Scalar, error) {
	for range maxDraws {
		var b [48]byte
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return nil, err
		}
		if s, err := g.decodeScalar(b[:]); err == nil {
			return s, nil
		}
	}
	return nil, errDraws
}

// decodeElement takes the compressed form alone: nistec would also accept the
// one-octet identity and the 97-octet uncompressed form.
func (p384Group) decodeElement(b []byte) (p384Element, error) {
	if len(b) != 49 {
		return nil, ErrElement
	}
	e, err := nistec.NewP384Point().SetBytes(b)
	if err != nil {
		return nil, ErrElement
	}
	return e, nil
}

func (g p384Group) decodeScalar(b []byte) (p384Scalar, error) {
	if len(b) != 48 {
		return nil, ErrScalar
	}
	s, err := bigmod.NewNat().SetBytes(b, p384Order)
	if err != nil || g.isZero(s) {
		return nil, ErrScalar
	}
	return s, nil
}

func (p384Group) encodeElement(e p384Element) []byte { return e.BytesCompressed() }
func (p384Group) encodeScalar(s p384Scalar) []byte   { return s.Bytes(p384Order) }

func (p384Group) identity() []byte { return []byte{0} }

func (p384Group) isZero(s p384Scalar) bool { return s.IsZero() == 1 }

func (p384Group) mul(s p384Scalar, e p384Element) p384Element {
	return mustP384(nistec.NewP384Point().ScalarMult(e, s.Bytes(p384Order)))
}

func (p384Group) mulGenerator(s p384Scalar) p384Element {
	return mustP384(nistec.NewP384Point().ScalarBaseMult(s.Bytes(p384Order)))
}

// mustP384 takes the result of a multiplication, which fails only for scalars
// that are not 48 octets long.
func mustP384(p *nistec.P384Point, err error) *nistec.P384Point {
	if err != nil {
		panic("voprf: scalar of wrong size")
	}
	return p
}

func (p384Group) subMul(a, b, c p384Scalar) p384Scalar {
	return clone(a, p384Order).Sub(mul(b, c, p384Order), p384Order)
}

func (p384Group) invert(s p384Scalar) p384Scalar { return invert(s, p384Order) }

func (g p384Group) varTimeDoubleMul(a p384Scalar, e p384Element, b p384Scalar) p384Element {
	p := g.mulGenerator(b)
	return p.Add(p, g.mul(a, e))
}

// varTimeMultiMul adds up s[i]*e[i] by Straus's method: all products share their
// doublings, and each has a table of its first 15 multiples.
func (p384Group) varTimeMultiMul(s []p384Scalar, e []p384Element) p384Element {
	tables := make([][16]*nistec.P384Point, len(e))
	digits := make([][]byte, len(e))
	for i := range e {
		t := &tables[i]
		t[1] = e[i]
		for j := 2; j < 16; j++ {
			if t[j] = nistec.NewP384Point(); j%2 == 0 {
				t[j].Double(t[j/2])
			} else {
				t[j].Add(t[j-1], e[i])
			}
		}
		digits[i] = s[i].Bytes(p384Order)
	}
	sum := nistec.NewP384Point()
	for nibble := range 2 * 48 {
		if nibble > 0 {
			sum.Double(sum).Double(sum).Double(sum).Double(sum)
		}
		for i := range e {
			d := digits[i][nibble/2]
			if nibble%2 == 0 {
				d >>= 4
			}
			if d &= 15; d != 0 {
				sum.Add(sum, tables[i][d])
			}
		}
	}
	return sum
}
