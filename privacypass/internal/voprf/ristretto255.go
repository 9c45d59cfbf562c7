package voprf

import (
	"crypto"
	"io"

	"github.com/gtank/ristretto255"
)

// Ristretto255 is the suite ristretto255-SHA512 of RFC 9497, Section 4.1.
// Elements and scalars are 32 octets, outputs 64.
var Ristretto255 Suite = newSuite[ristrettoElement, ristrettoScalar](ristrettoGroup{}, "ristretto255-SHA512", crypto.SHA512, 32)

type (
	ristrettoGroup   struct{}
	ristrettoElement = *ristretto255.Element
	ristrettoScalar  = *ristretto255.Scalar
)

func (ristrettoGroup) hashToGroup(msg, dst []byte) ristrettoElement {
	return ristretto255.NewElement().FromUniformBytes(expandMessageXMD(crypto.SHA512, msg, dst, 64))
}

// varTimeHashToGroup is the same, for lack of anything to gain.
func (g ristrettoGroup) varTimeHashToGroup(msg, dst []byte) ristrettoElement {
	return g.hashToGroup(msg, dst)
}

func (ristrettoGroup) hashToScalar(msg, dst []byte) ristrettoScalar {
	return ristretto255.NewScalar().FromUniformBytes(expandMessageXMD(crypto.SHA512, msg, dst, 64))
}

// randomScalar reduces 64 octets, so that the bias is negligible.
func (g ristrettoGroup) randomScalar(rand io.Reader) (ristrettoScalar, error) {
	for range maxDraws {
		var b [64]byte
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return nil, err
		}
		if s := ristretto255.NewScalar().FromUniformBytes(b[:]); !g.isZero(s) {
			return s, nil
		}
	}
	return nil, errDraws
}

func (ristrettoGroup) decodeElement(b []byte) (ristrettoElement, error) {
	e := ristretto255.NewElement()
	if e.Decode(b) != nil || e.Equal(ristretto255.NewElement()) == 1 {
		return nil, ErrElement
	}
	return e, nil
}

func (g ristrettoGroup) decodeScalar(b []byte) (ristrettoScalar, error) {
	s := ristretto255.NewScalar()
	if len(b) != 32 || s.Decode(b) != nil || g.isZero(s) {
		return nil, ErrScalar
	}
	return s, nil
}

func (ristrettoGroup) encodeElement(e ristrettoElement) []byte {
	return e.Encode(make([]byte, 0, 32))
}

func (ristrettoGroup) encodeScalar(s ristrettoScalar) []byte { return s.Encode(make([]byte, 0, 32)) }

func (ristrettoGroup) identity() []byte { return make([]byte, 32) }

func (ristrettoGroup) isZero(s ristrettoScalar) bool { return s.Equal(ristretto255.NewScalar()) == 1 }

func (ristrettoGroup) mul(s ristrettoScalar, e ristrettoElement) ristrettoElement {
	return ristretto255.NewElement().ScalarMult(s, e)
}

func (ristrettoGroup) mulGenerator(s ristrettoScalar) ristrettoElement {
	return ristretto255.NewElement().ScalarBaseMult(s)
}

func (ristrettoGroup) subMul(a, b, c ristrettoScalar) ristrettoScalar {
	p := ristretto255.NewScalar().Multiply(b, c)
	return p.Subtract(a, p)
}

func (ristrettoGroup) invert(s ristrettoScalar) ristrettoScalar {
	return ristretto255.NewScalar().Invert(s)
}

func (ristrettoGroup) varTimeMultiMul(s []ristrettoScalar, e []ristrettoElement) ristrettoElement {
	return ristretto255.NewElement().VarTimeMultiScalarMult(s, e)
}

func (ristrettoGroup) varTimeDoubleMul(a ristrettoScalar, e ristrettoElement, b ristrettoScalar) ristrettoElement {
	return ristretto255.NewElement().VarTimeDoubleScalarBaseMult(a, e, b)
}
