package mls

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"

	"github.com/cloudflare/circl/dh/x448"
	"github.com/cloudflare/circl/hpke"
	ckem "github.com/cloudflare/circl/kem"
	"github.com/cloudflare/circl/sign/ed448"
)

// The standard library has neither X448 nor Ed448, so suites 4 and 6 stand on
// circl.

// circlKEM is DHKEM(X448, HKDF-SHA512) with one AEAD.
type circlKEM struct {
	scheme ckem.Scheme
	suite  hpke.Suite
}

var (
	x448AES256GCM        = circlKEM{hpke.KEM_X448_HKDF_SHA512.Scheme(), hpke.NewSuite(hpke.KEM_X448_HKDF_SHA512, hpke.KDF_HKDF_SHA512, hpke.AEAD_AES256GCM)}
	x448ChaCha20Poly1305 = circlKEM{hpke.KEM_X448_HKDF_SHA512.Scheme(), hpke.NewSuite(hpke.KEM_X448_HKDF_SHA512, hpke.KDF_HKDF_SHA512, hpke.AEAD_ChaCha20Poly1305)}
)

// derive is RFC 9180, Section 7.1.3. circl has it too, but takes only inputs
// of the size of a private key (56 octets), and MLS passes Nh (64).
func (k circlKEM) derive(ikm []byte) ([]byte, []byte, error) {
	suiteID := binary.BigEndian.AppendUint16([]byte("KEM"), uint16(hpke.KEM_X448_HKDF_SHA512))
	labelled := func(parts ...string) []byte {
		b := append([]byte("HPKE-v1"), suiteID...)
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	prk, err := hkdf.Extract(sha512.New, labelled("dkp_prk", string(ikm)), nil)
	if err != nil {
		return nil, nil, ErrPrivateKey
	}
	info := string(append([]byte{0, x448.Size}, labelled("sk")...))
	private, err := hkdf.Expand(sha512.New, prk, info, x448.Size)
	if err != nil {
		return nil, nil, ErrPrivateKey
	}
	public, err := k.public(private)
	return private, public, err
}

func (k circlKEM) public(private []byte) ([]byte, error) {
	priv, err := k.scheme.UnmarshalBinaryPrivateKey(private)
	if err != nil {
		return nil, ErrPrivateKey
	}
	return priv.Public().MarshalBinary()
}

func (k circlKEM) check(public []byte) error {
	if _, err := k.scheme.UnmarshalBinaryPublicKey(public); err != nil || lowOrder448(public) {
		return ErrPublicKey
	}
	return nil
}

func (k circlKEM) checkOutput(out []byte) error { return k.check(out) }

func (k circlKEM) setup(public, info []byte) ([]byte, hpke.Sealer, error) {
	pub, err := k.scheme.UnmarshalBinaryPublicKey(public)
	if err != nil {
		return nil, nil, ErrPublicKey
	}
	sender, err := k.suite.NewSender(pub, info)
	if err != nil {
		return nil, nil, ErrPublicKey
	}
	enc, sealer, err := sender.Setup(rand.Reader)
	if err != nil {
		return nil, nil, ErrPublicKey
	}
	return enc, sealer, nil
}

func (k circlKEM) receive(private, info, kemOutput []byte) (hpke.Opener, error) {
	priv, err := k.scheme.UnmarshalBinaryPrivateKey(private)
	if err != nil {
		return nil, ErrPrivateKey
	}
	receiver, err := k.suite.NewReceiver(priv, info)
	if err != nil {
		return nil, ErrPrivateKey
	}
	opener, err := receiver.Setup(kemOutput)
	if err != nil {
		return nil, ErrDecrypt
	}
	return opener, nil
}

func (k circlKEM) seal(public, info, plaintext []byte) (HPKECiphertext, error) {
	enc, sealer, err := k.setup(public, info)
	if err != nil {
		return HPKECiphertext{}, err
	}
	ct, err := sealer.Seal(plaintext, nil)
	if err != nil {
		return HPKECiphertext{}, ErrPublicKey
	}
	return HPKECiphertext{KEMOutput: enc, Ciphertext: ct}, nil
}

func (k circlKEM) open(private, info []byte, c HPKECiphertext) ([]byte, error) {
	opener, err := k.receive(private, info, c.KEMOutput)
	if err != nil {
		return nil, err
	}
	pt, err := opener.Open(c.Ciphertext, nil)
	if err != nil {
		return nil, ErrDecrypt
	}
	return pt, nil
}

func (k circlKEM) exportTo(public, label []byte, n int) ([]byte, []byte, error) {
	enc, sealer, err := k.setup(public, nil)
	if err != nil {
		return nil, nil, err
	}
	return enc, sealer.Export(label, uint(n)), nil
}

func (k circlKEM) exportFrom(private, kemOutput, label []byte, n int) ([]byte, error) {
	opener, err := k.receive(private, nil, kemOutput)
	if err != nil {
		return nil, err
	}
	return opener.Export(label, uint(n)), nil
}

// ed448Scheme is Ed448 with the empty context. Private keys are the 57-octet
// seed.
type ed448Scheme struct{}

func (ed448Scheme) parse(private []byte) (signFunc, []byte, error) {
	if len(private) != ed448.SeedSize {
		return nil, nil, ErrPrivateKey
	}
	key := ed448.NewKeyFromSeed(private)
	sign := func(message []byte) ([]byte, error) { return ed448.Sign(key, message, ""), nil }
	return sign, key[ed448.SeedSize:], nil
}

func (ed448Scheme) check(public []byte) bool { return len(public) == ed448.PublicKeySize }

func (ed448Scheme) verify(public, message, sig []byte) bool {
	return len(public) == ed448.PublicKeySize && ed448.Verify(public, message, sig, "")
}

func (ed448Scheme) seedSize() int { return ed448.SeedSize }
