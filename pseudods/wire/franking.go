package wire

import (
	"crypto/ed25519"
	"crypto/sha256"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// A message is franked so that whoever got it can prove to its delivery service
// who sent it. The sender puts a tag beside the ciphertext that commits it to the
// content, the service signs who brought the tag, and members take no message
// without either. See package seal for how they are made and checked.

// FrankingTagSize is the size of a [FrankingTag] in octets.
const FrankingTagSize = sha256.Size

// FrankingTag commits a sender to the content of a message. It is the whole
// authenticated_data of the PrivateMessage (RFC 9420, Section 6.3) of a member
// with a [PseudonymousCredential].
type FrankingTag [FrankingTagSize]byte

// FrankingKeySize is the size of a franking key in octets.
const FrankingKeySize = 32

// FrankedContent is the application data of a franked message.
type FrankedContent struct {
	// Key opens the tag. It is drawn for each message.
	Key     secret.Bytes
	Content []byte
}

// MarshalTLS encodes c.
func (c *FrankedContent) MarshalTLS(w *tlscodec.Writer) {
	writeSecret(w, c.Key, FrankingKeySize)
	w.Opaque(c.Content)
}

// UnmarshalTLS decodes c.
func (c *FrankedContent) UnmarshalTLS(r *tlscodec.Reader) {
	*c = FrankedContent{Key: secret.Clone(r.Fixed(FrankingKeySize)), Content: r.Opaque()}
}

// FrankKeyID is the beginning of the hash of a service's signature key.
type FrankKeyID [8]byte

// FrankKeyIDOf returns the identifier of a key by which a service franks.
func FrankKeyIDOf(public []byte) FrankKeyID {
	return FrankKeyID(labelledHash("pseudods 1.0 frank key", public)[:8])
}

// Frank is a delivery service's signature over who brought a message with a tag,
// to which group, in which epoch and on which day, see package seal.
type Frank struct {
	Key FrankKeyID
	// Day is when the service took the message, in days since the Unix epoch.
	Day       uint64
	Signature [ed25519.SignatureSize]byte
}

// MarshalTLS encodes f.
func (f *Frank) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(f.Key[:])
	w.Uint64(f.Day)
	w.Raw(f.Signature[:])
}

// UnmarshalTLS decodes f.
func (f *Frank) UnmarshalTLS(r *tlscodec.Reader) {
	copy(f.Key[:], r.Fixed(len(f.Key)))
	f.Day = r.Uint64()
	copy(f.Signature[:], r.Fixed(len(f.Signature)))
}

// FrankedSender names the leaf of a sender in what is signed: its credential and
// its signature key.
func FrankedSender(c *mls.Credential, signatureKey []byte) ([sha256.Size]byte, error) {
	var w tlscodec.Writer
	c.MarshalTLS(&w)
	w.Opaque(signatureKey)
	b, err := w.Bytes()
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return [sha256.Size]byte(labelledHash("pseudods 1.0 franked sender", b)), nil
}
