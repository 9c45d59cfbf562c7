package issuer

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"

	"filippo.io/bigmod"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/internal/rsapss"
)

// signer holds an RSA private key in the form of the Chinese Remainder Theorem.
type signer struct {
	public *rsapss.PublicKey
	p, q   half
	qInv   *bigmod.Nat // of q modulo p
}

// half is what is needed modulo one of the primes.
type half struct {
	prime    *bigmod.Modulus
	exponent []byte      // of full length, so that leading zeros do not show in the time taken
	shift    *bigmod.Nat // 2^(8*size) modulo the prime, for a prime of size octets
}

func newHalf(prime, exponent *big.Int) (h half, err error) {
	if h.prime, err = bigmod.NewModulus(prime.Bytes()); err != nil {
		return h, err
	}
	h.exponent = exponent.FillBytes(make([]byte, h.prime.Size()))
	shift := new(big.Int).Lsh(big.NewInt(1), uint(8*h.prime.Size()))
	h.shift, err = h.reduce(shift.Mod(shift, prime).FillBytes(make([]byte, h.prime.Size())))
	return h, err
}

// reduce takes as many octets as the prime has. Its leading bit is set, so one
// conditional subtraction is enough.
func (h *half) reduce(b []byte) (*bigmod.Nat, error) {
	return bigmod.NewNat().SetOverflowingBytes(b, h.prime)
}

// power reduces c, twice as long as the prime, and raises it to the exponent.
func (h *half) power(c []byte) (*bigmod.Nat, error) {
	high, err := h.reduce(c[:len(c)/2])
	if err != nil {
		return nil, err
	}
	low, err := h.reduce(c[len(c)/2:])
	if err != nil {
		return nil, err
	}
	x := high.Mul(h.shift, h.prime).Add(low, h.prime)
	return bigmod.NewNat().Exp(x, h.exponent, h.prime), nil
}

// newSigner sets up a key with two primes of equal length.
func newSigner(k *rsa.PrivateKey) (*signer, error) {
	if len(k.Primes) != 2 || k.E != rsapss.Exponent ||
		k.Primes[0].BitLen() != k.Primes[1].BitLen() || k.Primes[0].BitLen()%8 != 0 {
		return nil, fmt.Errorf("%w: want two primes of equal length and exponent %d", ErrKeyFormat, rsapss.Exponent)
	}
	if err := k.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	k.Precompute()
	public, err := rsapss.New(k.N.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	s := &signer{public: public}
	if s.p, err = newHalf(k.Primes[0], k.Precomputed.Dp); err == nil {
		s.q, err = newHalf(k.Primes[1], k.Precomputed.Dq)
	}
	if err == nil {
		s.qInv, err = s.p.reduce(k.Precomputed.Qinv.FillBytes(make([]byte, s.p.prime.Size())))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	return s, nil
}

// sign is BlindSign of RFC 9474, Section 4.3: RSASP1 on a blinded message. It
// runs in constant time.
//
// The result is raised to the public exponent before it leaves. With the Chinese
// Remainder Theorem one miscalculated half is enough to give a signature that
// reveals a factor of the modulus to whoever sees it (Boneh, DeMillo, Lipton),
// and flipped bits do happen on machines that sign all day.
func (s *signer) sign(blinded []byte) ([]byte, error) {
	c, err := s.public.Decode(blinded)
	n := s.public.Modulus()
	// 0, 1 and n-1 are their own signatures. No blinding gives them.
	if err != nil || c.IsZero()|c.IsOne()|c.IsMinusOne(n) == 1 {
		return nil, ErrElement
	}
	m1, err := s.p.power(blinded)
	if err != nil {
		return nil, ErrFault
	}
	m2, err := s.q.power(blinded)
	if err != nil {
		return nil, ErrFault
	}
	m2p, err := s.p.reduce(m2.Bytes(s.q.prime))
	if err != nil {
		return nil, ErrFault
	}
	// m = m2 + q * (qInv * (m1 - m2) mod p), RFC 8017, Section 5.1.2.
	h := m1.Sub(m2p, s.p.prime).Mul(s.qInv, s.p.prime)
	m := h.ExpandFor(n).Mul(s.q.prime.Nat().ExpandFor(n), n).Add(m2.ExpandFor(n), n)
	if s.public.Public(m).Equal(c) == 0 {
		return nil, ErrFault
	}
	return m.Bytes(n), nil
}

// rsaKey is a key of RFC 9578, Section 6.
type rsaKey struct {
	id     privacypass.KeyID
	spki   []byte
	signer func() *signer // behind a function, so that no verb prints it
	pkcs8  secret.Bytes
}

var _ Key = (*rsaKey)(nil)

func newRSAKey(k *rsa.PrivateKey) (*rsaKey, error) {
	s, err := newSigner(k)
	if err != nil {
		return nil, err
	}
	spki, err := s.public.MarshalSPKI()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	return &rsaKey{privacypass.KeyIDOf(spki), spki, func() *signer { return s }, secret.New(pkcs8)}, nil
}

func generateRSA() (Key, error) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFault, err)
	}
	key, err := newRSAKey(k)
	if err != nil {
		return nil, err
	}
	return key, nil
}

func parseRSA(der []byte) (Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	k, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: not an RSA key", ErrKeyFormat)
	}
	key, err := newRSAKey(k)
	if err != nil {
		return nil, err
	}
	// The parser ignores octets behind the structures it knows.
	if !key.pkcs8.Equal(secret.Clone(der)) {
		return nil, fmt.Errorf("%w: not the encoding of its key", ErrKeyFormat)
	}
	return key, nil
}

func (k *rsaKey) TokenType() privacypass.TokenType { return privacypass.BlindRSA }
func (k *rsaKey) ID() privacypass.KeyID            { return k.id }
func (k *rsaKey) PublicKey() []byte                { return bytes.Clone(k.spki) }
func (k *rsaKey) Marshal() secret.Bytes            { return marshalKey(privacypass.BlindRSA, k.pkcs8.Reveal()) }
func (k *rsaKey) String() string                   { return "[secret]" }

func (k *rsaKey) evaluate(_ io.Reader, blinded [][]byte) ([][]byte, []byte, error) {
	evaluated := make([][]byte, len(blinded))
	for i, b := range blinded {
		var err error
		if evaluated[i], err = k.signer().sign(b); err != nil {
			return nil, nil, err
		}
	}
	return evaluated, nil, nil
}
