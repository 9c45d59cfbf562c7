package mls

import (
	"crypto/hpke"
	"crypto/mlkem"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// HPKEPrivateKey is a serialised private key of the suite's KEM.
type HPKEPrivateKey struct{ secret.Bytes }

// HPKECiphertext is one HPKE encryption (RFC 9420, Section 5.1.3).
type HPKECiphertext struct {
	KEMOutput  []byte
	Ciphertext []byte
}

// MarshalTLS encodes c.
func (c *HPKECiphertext) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(c.KEMOutput)
	w.Opaque(c.Ciphertext)
}

// UnmarshalTLS decodes c.
func (c *HPKECiphertext) UnmarshalTLS(r *tlscodec.Reader) {
	c.KEMOutput = r.Opaque()
	c.Ciphertext = r.Opaque()
	// Every AEAD adds a tag of 16 octets and no KEM has an empty output: what
	// is shorter can never open, and refusing it here bounds the memory that a
	// vector of ciphertexts takes to a small multiple of its encoding.
	if r.Err() == nil && (len(c.KEMOutput) == 0 || len(c.Ciphertext) < 16) {
		r.Fail(tlscodec.ErrValue)
	}
}

// kem is HPKE (RFC 9180) in base mode with the KDF and AEAD of one suite.
// Errors are ErrPublicKey, ErrPrivateKey and ErrDecrypt.
type kem interface {
	derive(ikm []byte) (private, public []byte, err error)
	public(private []byte) ([]byte, error)
	check(public []byte) error
	checkOutput(kemOutput []byte) error
	seal(public, info, plaintext []byte) (HPKECiphertext, error)
	open(private, info []byte, c HPKECiphertext) ([]byte, error)
	exportTo(public []byte, label []byte, n int) (kemOutput, exported []byte, err error)
	exportFrom(private, kemOutput, label []byte, n int) ([]byte, error)
}

// DeriveKeyPair is KEM.DeriveKeyPair of RFC 9180, Section 7.1.3. The input is
// secret and has HashSize octets where RFC 9420 calls it.
func (s *Suite) DeriveKeyPair(ikm secret.Bytes) (HPKEPrivateKey, []byte, error) {
	private, public, err := s.kem.derive(ikm.Reveal())
	if err != nil {
		return HPKEPrivateKey{}, nil, err
	}
	return HPKEPrivateKey{secret.New(private)}, public, nil
}

// GenerateKeyPair makes an HPKE key pair from HashSize octets of rand.
func (s *Suite) GenerateKeyPair(rand io.Reader) (HPKEPrivateKey, []byte, error) {
	ikm, err := s.RandomSecret(rand)
	if err != nil {
		return HPKEPrivateKey{}, nil, err
	}
	return s.DeriveKeyPair(ikm)
}

// RandomSecret reads HashSize octets from rand.
func (s *Suite) RandomSecret(rand io.Reader) (secret.Bytes, error) {
	b := make([]byte, s.HashSize())
	if _, err := io.ReadFull(rand, b); err != nil {
		return secret.Bytes{}, err
	}
	return secret.New(b), nil
}

// HPKEPublicKey returns the public key of private, or [ErrPrivateKey].
func (s *Suite) HPKEPublicKey(private HPKEPrivateKey) ([]byte, error) {
	return s.kem.public(private.Reveal())
}

// CheckKEMOutput fails with [ErrPublicKey] unless out has the size of the suite's
// KEM output and is not a key of small order.
func (s *Suite) CheckKEMOutput(out []byte) error { return s.kem.checkOutput(out) }

// CheckHPKEPublicKey fails with [ErrPublicKey] unless public is a well-formed
// key of the suite's KEM.
func (s *Suite) CheckHPKEPublicKey(public []byte) error { return s.kem.check(public) }

// externalInitLabel is the exporter context of RFC 9420, Section 8.3.
var externalInitLabel = []byte("MLS 1.0 external init secret")

// ExternalInit makes the init secret of an external commit and the KEM output
// that carries it to the holders of external_priv (RFC 9420, Section 8.3).
func (s *Suite) ExternalInit(externalPub []byte) (kemOutput []byte, initSecret secret.Bytes, err error) {
	out, exported, err := s.kem.exportTo(externalPub, externalInitLabel, s.HashSize())
	return out, secret.New(exported), err
}

// ExternalInitFrom is the members' side of [Suite.ExternalInit].
func (s *Suite) ExternalInitFrom(externalPriv HPKEPrivateKey, kemOutput []byte) (secret.Bytes, error) {
	exported, err := s.kem.exportFrom(externalPriv.Reveal(), kemOutput, externalInitLabel, s.HashSize())
	return secret.New(exported), err
}

const xWingID = 0x647a

// stdKEM is a suite of the standard library's crypto/hpke.
type stdKEM struct {
	scheme     hpke.KEM
	kdf        hpke.KDF
	aead       hpke.AEAD
	publicSize int
	x25519     bool // the last 32 octets of a public key are an X25519 key
}

func (k stdKEM) derive(ikm []byte) ([]byte, []byte, error) {
	priv, err := k.scheme.DeriveKeyPair(ikm)
	if err != nil {
		return nil, nil, ErrPrivateKey
	}
	b, err := priv.Bytes()
	if err != nil {
		return nil, nil, ErrPrivateKey
	}
	return b, priv.PublicKey().Bytes(), nil
}

func (k stdKEM) public(private []byte) ([]byte, error) {
	priv, err := k.scheme.NewPrivateKey(private)
	if err != nil {
		return nil, ErrPrivateKey
	}
	return priv.PublicKey().Bytes(), nil
}

func (k stdKEM) parse(public []byte) (hpke.PublicKey, error) {
	// The length says compressed NIST points from uncompressed ones, and MLS
	// knows only the latter (RFC 9420, Section 5.1.1).
	if len(public) != k.publicSize || k.x25519 && lowOrder25519(public[len(public)-32:]) {
		return nil, ErrPublicKey
	}
	pub, err := k.scheme.NewPublicKey(public)
	if err != nil {
		return nil, ErrPublicKey
	}
	return pub, nil
}

// checkOutput: the KEM output of a Diffie-Hellman KEM is a public key, that of
// X-Wing a ciphertext of ML-KEM-768 and an X25519 key.
func (k stdKEM) checkOutput(out []byte) error {
	if k.scheme.ID() == xWingID {
		if len(out) != mlkem.CiphertextSize768+32 || lowOrder25519(out[mlkem.CiphertextSize768:]) {
			return ErrPublicKey
		}
		return nil
	}
	return k.check(out)
}

func (k stdKEM) check(public []byte) error {
	_, err := k.parse(public)
	return err
}

func (k stdKEM) seal(public, info, plaintext []byte) (HPKECiphertext, error) {
	pub, err := k.parse(public)
	if err != nil {
		return HPKECiphertext{}, err
	}
	enc, sender, err := hpke.NewSender(pub, k.kdf, k.aead, info)
	if err != nil {
		return HPKECiphertext{}, ErrPublicKey
	}
	ct, err := sender.Seal(nil, plaintext)
	if err != nil {
		return HPKECiphertext{}, ErrPublicKey
	}
	return HPKECiphertext{KEMOutput: enc, Ciphertext: ct}, nil
}

func (k stdKEM) recipient(private, kemOutput, info []byte) (*hpke.Recipient, error) {
	priv, err := k.scheme.NewPrivateKey(private)
	if err != nil {
		return nil, ErrPrivateKey
	}
	r, err := hpke.NewRecipient(kemOutput, priv, k.kdf, k.aead, info)
	if err != nil {
		return nil, ErrDecrypt
	}
	return r, nil
}

func (k stdKEM) open(private, info []byte, c HPKECiphertext) ([]byte, error) {
	r, err := k.recipient(private, c.KEMOutput, info)
	if err != nil {
		return nil, err
	}
	pt, err := r.Open(nil, c.Ciphertext)
	if err != nil {
		return nil, ErrDecrypt
	}
	return pt, nil
}

func (k stdKEM) exportTo(public, label []byte, n int) ([]byte, []byte, error) {
	pub, err := k.parse(public)
	if err != nil {
		return nil, nil, err
	}
	enc, sender, err := hpke.NewSender(pub, k.kdf, k.aead, nil)
	if err != nil {
		return nil, nil, ErrPublicKey
	}
	out, err := sender.Export(string(label), n)
	return enc, out, err
}

func (k stdKEM) exportFrom(private, kemOutput, label []byte, n int) ([]byte, error) {
	r, err := k.recipient(private, kemOutput, nil)
	if err != nil {
		return nil, err
	}
	return r.Export(string(label), n)
}
