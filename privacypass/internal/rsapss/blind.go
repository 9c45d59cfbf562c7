package rsapss

import (
	"bytes"
	cryptorand "crypto/rand"
	"io"
	"math/big"

	"filippo.io/bigmod"
)

// Blind is a blinding factor r with its inverse, both secret, each as long as
// the modulus.
type Blind struct {
	R, Inverse []byte
}

// attempts bounds the draws below. A draw fails with probability under 1/2 by
// falling outside of the range, and else only if it shares a factor with n.
const attempts = 128

// NewBlind draws a blinding factor from rand. The inverse is computed in variable
// time, of r times a second random factor that then is taken out again, so that
// the time taken is independent of r. The result does not depend on the second
// factor, which is why it need not come from rand.
func (k *PublicKey) NewBlind(rand io.Reader) (Blind, error) {
	n := new(big.Int).SetBytes(k.n.Nat().Bytes(k.n))
	for range attempts {
		r, err := k.draw(rand)
		if err != nil {
			return Blind{}, err
		}
		t, err := k.draw(cryptorand.Reader)
		if err != nil {
			return Blind{}, err
		}
		rt := bigmod.NewNat().ExpandFor(k.n).Add(r, k.n).Mul(t, k.n)
		x := new(big.Int).ModInverse(new(big.Int).SetBytes(rt.Bytes(k.n)), n)
		if x == nil {
			continue
		}
		inverse, err := k.Decode(x.FillBytes(make([]byte, k.Size())))
		if err != nil {
			return Blind{}, err
		}
		return Blind{r.Bytes(k.n), inverse.Mul(t, k.n).Bytes(k.n)}, nil
	}
	return Blind{}, ErrKey
}

// draw returns a uniform value from 1 to n-1.
func (k *PublicKey) draw(rand io.Reader) (*bigmod.Nat, error) {
	b := make([]byte, k.Size())
	for range attempts {
		if _, err := io.ReadFull(rand, b); err != nil {
			return nil, err
		}
		if x, err := k.Decode(b); err == nil && x.IsZero() == 0 {
			return x, nil
		}
	}
	return nil, ErrKey
}

// check returns the two factors, if they are inverse to each other.
func (k *PublicKey) check(b Blind) (r, inverse *bigmod.Nat, err error) {
	if r, err = k.Decode(b.R); err != nil {
		return nil, nil, err
	}
	if inverse, err = k.Decode(b.Inverse); err != nil {
		return nil, nil, err
	}
	if bigmod.NewNat().ExpandFor(k.n).Add(r, k.n).Mul(inverse, k.n).IsOne() == 0 {
		return nil, nil, ErrMessage
	}
	return r, inverse, nil
}

// Blind is Blind of RFC 9474, Section 4.2, for a prepared message and its salt.
// A message that shares a factor with the modulus is [ErrMessage]: that happens
// only with a modulus made to have small factors, and would tell its maker about
// the message. The check looks at the blinded message, which is public and
// shares a factor whenever the message does.
func (k *PublicKey) Blind(msg, salt []byte, b Blind) ([]byte, error) {
	r, _, err := k.check(b)
	if err != nil {
		return nil, err
	}
	m, err := k.Decode(Encode(msg, salt, k.Size()))
	if err != nil {
		return nil, err
	}
	z := m.Mul(k.Public(r), k.n).Bytes(k.n)
	n := new(big.Int).SetBytes(k.n.Nat().Bytes(k.n))
	if new(big.Int).GCD(nil, nil, new(big.Int).SetBytes(z), n).Cmp(big.NewInt(1)) != 0 {
		return nil, ErrMessage
	}
	return z, nil
}

// Finalize is Finalize of RFC 9474, Section 4.4. The signature is checked
// against the very encoding that was blinded, salt included.
func (k *PublicKey) Finalize(msg, salt, blindSig []byte, b Blind) ([]byte, error) {
	_, inverse, err := k.check(b)
	if err != nil {
		return nil, err
	}
	s, err := k.Decode(blindSig)
	if err != nil {
		return nil, ErrSignature
	}
	s.Mul(inverse, k.n)
	if !bytes.Equal(k.Public(s).Bytes(k.n), Encode(msg, salt, k.Size())) {
		return nil, ErrSignature
	}
	return s.Bytes(k.n), nil
}
