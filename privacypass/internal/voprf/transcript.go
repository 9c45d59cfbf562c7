package voprf

import "encoding/binary"

// appendPrefixed appends I2OSP(len(b), 2) || b.
func appendPrefixed(dst, b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(b))), b...)
}

func (s *suite[E, S]) digest(b []byte) []byte {
	h := s.hash.New()
	h.Write(b)
	return h.Sum(nil)
}

// output is the last step of Finalize and of Evaluate, RFC 9497, Section 3.3.2.
func (s *suite[E, S]) output(input, element []byte) []byte {
	t := appendPrefixed(make([]byte, 0, 256), input)
	t = appendPrefixed(t, element)
	return s.digest(append(t, "Finalize"...))
}

// weights returns the scalars d_i of ComputeComposites, RFC 9497, Section 2.2.1.
func (s *suite[E, S]) weights(public []byte, c, d [][]byte) []S {
	t := appendPrefixed(nil, public)
	t = appendPrefixed(t, s.seedTag)
	seed := s.digest(t)
	weights := make([]S, len(c))
	for i := range c {
		t = appendPrefixed(t[:0], seed)
		t = binary.BigEndian.AppendUint16(t, uint16(i))
		t = appendPrefixed(t, c[i])
		t = appendPrefixed(t, d[i])
		weights[i] = s.hashToScalar(append(t, "Composite"...), s.toScalarTag)
	}
	return weights
}

// challenge is the Fiat-Shamir challenge of RFC 9497, Sections 2.2.1 and 2.2.2.
func (s *suite[E, S]) challenge(public []byte, m, z, t2, t3 E) S {
	t := appendPrefixed(nil, public)
	for _, e := range []E{m, z, t2, t3} {
		t = appendPrefixed(t, s.encodeElement(e))
	}
	return s.hashToScalar(append(t, "Challenge"...), s.toScalarTag)
}
