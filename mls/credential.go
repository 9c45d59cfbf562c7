package mls

import (
	"bytes"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Credential binds a signature key to an identity (RFC 9420, Section 5.3).
// Exactly the field of its Type is set.
type Credential struct {
	Type CredentialType
	// Identity is the content of a basic credential.
	Identity []byte
	// Certificates is the content of an X.509 credential, leaf first, DER.
	Certificates [][]byte
	// Opaque is the content of any other type. The RFC gives unknown types no
	// length; this package reads opaque<V>, as every deployed stack does.
	Opaque []byte
}

// BasicCredential returns a credential that asserts identity and nothing else.
func BasicCredential(identity []byte) Credential {
	return Credential{Type: CredentialTypeBasic, Identity: identity}
}

// MarshalTLS encodes c.
func (c *Credential) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(c.Type))
	switch c.Type {
	case CredentialTypeBasic:
		w.Opaque(c.Identity)
	case CredentialTypeX509:
		w.Vector(func(w *tlscodec.Writer) {
			for _, cert := range c.Certificates {
				w.Opaque(cert)
			}
		})
	default:
		w.Opaque(c.Opaque)
	}
}

// UnmarshalTLS decodes c.
func (c *Credential) UnmarshalTLS(r *tlscodec.Reader) {
	*c = Credential{Type: CredentialType(r.Uint16())}
	switch c.Type {
	case CredentialTypeBasic:
		c.Identity = r.Opaque()
	case CredentialTypeX509:
		r.Vector(func(r *tlscodec.Reader) { c.Certificates = append(c.Certificates, r.Opaque()) })
	default:
		c.Opaque = r.Opaque()
	}
}

// Equal reports whether c and o have the same encoding.
func (c *Credential) Equal(o *Credential) bool { return bytes.Equal(mustMarshal(c), mustMarshal(o)) }
