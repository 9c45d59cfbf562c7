package voprf

import (
	"bytes"
	"crypto/subtle"
	"io"
)

type publicKey[E, S any] struct {
	*suite[E, S]
	element E
	encoded []byte
}

func (s *suite[E, S]) NewPublicKey(b []byte) (PublicKey, error) {
	e, err := s.decodeElement(b)
	if err != nil {
		return nil, err
	}
	return &publicKey[E, S]{suite: s, element: e, encoded: append([]byte(nil), b...)}, nil
}

func (k *publicKey[E, S]) RandomBlind(rand io.Reader) ([]byte, error) {
	r, err := k.randomScalar(rand)
	if err != nil {
		return nil, err
	}
	return k.encodeScalar(r), nil
}

func (k *publicKey[E, S]) Blind(input, blind []byte) ([]byte, error) {
	r, err := k.decodeScalar(blind)
	if err != nil {
		return nil, err
	}
	if len(input) > 1<<16-1 {
		return nil, ErrInput
	}
	e := k.encodeElement(k.mul(r, k.hashToGroup(input, k.toGroupTag)))
	if bytes.Equal(e, k.identity()) { // the blind is not zero, so the input's element was the identity
		return nil, ErrInput
	}
	return e, nil
}

func (k *publicKey[E, S]) Finalize(inputs, blinds, blinded, evaluated [][]byte, proof []byte) ([][]byte, error) {
	n := len(inputs)
	if n == 0 || n > maxBatch || len(blinds) != n || len(blinded) != n || len(evaluated) != n {
		return nil, ErrBatch
	}
	c, err := decodeAll(k.decodeElement, blinded)
	if err != nil {
		return nil, err
	}
	d, err := decodeAll(k.decodeElement, evaluated)
	if err != nil {
		return nil, err
	}
	r, err := decodeAll(k.decodeScalar, blinds)
	if err != nil {
		return nil, err
	}
	if !k.verify(c, d, blinded, evaluated, proof) {
		return nil, ErrProof
	}
	outputs := make([][]byte, n)
	for i, input := range inputs {
		outputs[i] = k.output(input, k.encodeElement(k.mul(k.invert(r[i]), d[i])))
	}
	return outputs, nil
}

func decodeAll[T any](decode func([]byte) (T, error), in [][]byte) ([]T, error) {
	out := make([]T, len(in))
	for i, b := range in {
		var err error
		if out[i], err = decode(b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// verify is VerifyProof of RFC 9497, Section 2.2.2. All of its inputs have been
// on the wire.
func (k *publicKey[E, S]) verify(c, d []E, blinded, evaluated [][]byte, proof []byte) bool {
	if len(proof) != 2*k.scalarSize {
		return false
	}
	// A zero challenge or response has negligible probability in an honest
	// proof, so the decoder's refusal of zero costs nothing.
	ch, err := k.decodeScalar(proof[:k.scalarSize])
	if err != nil {
		return false
	}
	s, err := k.decodeScalar(proof[k.scalarSize:])
	if err != nil {
		return false
	}
	w := k.weights(k.encoded, blinded, evaluated)
	m, z := k.varTimeMultiMul(w, c), k.varTimeMultiMul(w, d)
	t2 := k.varTimeDoubleMul(ch, k.element, s)
	t3 := k.varTimeMultiMul([]S{s, ch}, []E{m, z})
	want := k.challenge(k.encoded, m, z, t2, t3)
	return subtle.ConstantTimeCompare(k.encodeScalar(want), proof[:k.scalarSize]) == 1
}
