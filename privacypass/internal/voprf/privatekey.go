package voprf

import (
	"bytes"
	"fmt"
	"io"
)

type privateKey[E, S any] struct {
	*suite[E, S]
	scalar func() S // behind a function, so that no verb prints it
	public []byte
}

func (s *suite[E, S]) newPrivateKey(k S) PrivateKey {
	// The public key is computed here and never later: a cache filled on first
	// use would be raced by concurrent evaluations.
	return &privateKey[E, S]{suite: s, scalar: func() S { return k }, public: s.encodeElement(s.mulGenerator(k))}
}

func (s *suite[E, S]) NewPrivateKey(b []byte) (PrivateKey, error) {
	k, err := s.decodeScalar(b)
	if err != nil {
		return nil, err
	}
	return s.newPrivateKey(k), nil
}

func (s *suite[E, S]) GenerateKey(rand io.Reader) (PrivateKey, error) {
	k, err := s.randomScalar(rand)
	if err != nil {
		return nil, err
	}
	return s.newPrivateKey(k), nil
}

// MinSeedSize is the size of a seed in RFC 9497, Section 3.2.1. RFC 9578, Section
// 5.5 takes Ns octets, which is more for P-384: any longer seed is accepted.
const MinSeedSize = 32

func (s *suite[E, S]) DeriveKey(seed, info []byte) (PrivateKey, error) {
	if len(seed) < MinSeedSize || len(info) > 1<<16-1 {
		return nil, fmt.Errorf("%w: seed of %d octets", ErrInput, len(seed))
	}
	t := appendPrefixed(append(make([]byte, 0, 128), seed...), info)
	for counter := range 256 {
		k := s.hashToScalar(append(t, byte(counter)), s.deriveTag)
		if !s.isZero(k) {
			return s.newPrivateKey(k), nil
		}
	}
	return nil, ErrInput
}

func (k *privateKey[E, S]) Bytes() []byte  { return k.encodeScalar(k.scalar()) }
func (k *privateKey[E, S]) Public() []byte { return append([]byte(nil), k.public...) }

func (k *privateKey[E, S]) BlindEvaluate(rand io.Reader, blinded [][]byte) ([][]byte, []byte, error) {
	if len(blinded) == 0 || len(blinded) > maxBatch {
		return nil, nil, ErrBatch
	}
	c := make([]E, len(blinded))
	for i, b := range blinded {
		var err error
		if c[i], err = k.decodeElement(b); err != nil {
			return nil, nil, err
		}
	}
	evaluated := make([][]byte, len(blinded))
	for i := range c {
		evaluated[i] = k.encodeElement(k.mul(k.scalar(), c[i]))
	}
	proof, err := k.prove(rand, c, blinded, evaluated)
	return evaluated, proof, err
}

// prove is GenerateProof of RFC 9497, Section 2.2.1 with ComputeCompositesFast:
// m sums public elements with public weights, so it needs no secrecy, and z is
// one secret multiplication of m.
func (k *privateKey[E, S]) prove(rand io.Reader, c []E, blinded, evaluated [][]byte) ([]byte, error) {
	r, err := k.randomScalar(rand)
	if err != nil {
		return nil, err
	}
	m := k.varTimeMultiMul(k.weights(k.public, blinded, evaluated), c)
	z := k.mul(k.scalar(), m)
	ch := k.challenge(k.public, m, z, k.mulGenerator(r), k.mul(r, m))
	return append(k.encodeScalar(ch), k.encodeScalar(k.subMul(r, ch, k.scalar()))...), nil
}

func (k *privateKey[E, S]) Evaluate(input []byte) ([]byte, error) {
	if len(input) > 1<<16-1 {
		return nil, ErrInput
	}
	e := k.encodeElement(k.mul(k.scalar(), k.varTimeHashToGroup(input, k.toGroupTag)))
	if bytes.Equal(e, k.identity()) { // the scalar is not zero, so the input's element was the identity
		return nil, ErrInput
	}
	return k.output(input, e), nil
}

// String shows nothing.
func (k *privateKey[E, S]) String() string { return "[secret]" }
