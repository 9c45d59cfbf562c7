package issuer

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"

	"filippo.io/bigmod"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/internal/rsapss"
)

// signer holds an RSA private key in the form of the Chinese Remainder Theorem.
type signer struct {
	public *rsapss.PublicKey
	p, q   *bigmod.Modulus
	dP, dQ []byte
	qInv   *bigmod.Nat // of q modulo p
}

// newSigner sets up a key with two primes of equal length.
func newSigner(k *rsa.PrivateKey) (*signer, error) {
	if len(k.Primes) != 2 || k.E != rsapss.Exponent || k.Primes[0].BitLen() != k.Primes[1].BitLen() {
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
	half := make([]byte, len(k.Primes[0].Bytes()))
	s := &signer{
		public: public,
		// Full length, so that leading zeros do not show in the time taken.
		dP: k.Precomputed.Dp.FillBytes(bytes.Clone(half)),
		dQ: k.Precomputed.Dq.FillBytes(bytes.Clone(half)),
	}
	if s.p, err = bigmod.NewModulus(k.Primes[0].Bytes()); err == nil {
		s.q, err = bigmod.NewModulus(k.Primes[1].Bytes())
	}
	if err == nil {
		s.qInv, err = bigmod.NewNat().SetBytes(k.Precomputed.Qinv.Bytes(), s.p)
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
	m1 := bigmod.NewNat().Exp(bigmod.NewNat().Mod(c, s.p), s.dP, s.p)
	m2 := bigmod.NewNat().Exp(bigmod.NewNat().Mod(c, s.q), s.dQ, s.q)
	// m = m2 + q * (qInv * (m1 - m2) mod p), RFC 8017, Section 5.1.2.
	h := m1.Sub(bigmod.NewNat().Mod(m2, s.p), s.p).Mul(s.qInv, s.p)
	m := h.ExpandFor(n).Mul(s.q.Nat().ExpandFor(n), n).Add(m2.ExpandFor(n), n)
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

func newRSAKey(k *rsa.PrivateKey) (Key, error) {
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
	return newRSAKey(k)
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
	return newRSAKey(k)
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
