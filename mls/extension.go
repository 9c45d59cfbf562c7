package mls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Extension is an extension by type with its content undecoded, so that types
// this package does not know survive a round trip (RFC 9420, Section 13).
type Extension struct {
	Type ExtensionType
	Data []byte
}

// MarshalTLS encodes e.
func (e *Extension) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(e.Type))
	w.Opaque(e.Data)
}

// UnmarshalTLS decodes e.
func (e *Extension) UnmarshalTLS(r *tlscodec.Reader) {
	e.Type = ExtensionType(r.Uint16())
	e.Data = r.Opaque()
}

// Extensions is the list of extensions of one structure.
type Extensions []Extension

// ErrExtension: an extension is malformed, stands twice, or is missing.
var ErrExtension = errors.New("mls: invalid extension")

// MarshalTLS encodes es.
func (es *Extensions) MarshalTLS(w *tlscodec.Writer) { writeVector(w, *es) }

// UnmarshalTLS decodes es. More than 1,024 extensions are refused.
func (es *Extensions) UnmarshalTLS(r *tlscodec.Reader) { *es = readVectorUpTo[Extension](r, maxTypes) }

// Find returns the content of the extension of type t.
func (es Extensions) Find(t ExtensionType) (data []byte, ok bool) {
	for _, e := range es {
		if e.Type == t {
			return e.Data, true
		}
	}
	return nil, false
}

// Without returns a copy of es that has no extension of type t.
func (es Extensions) Without(t ExtensionType) Extensions {
	return slices.DeleteFunc(slices.Clone(es), func(e Extension) bool { return e.Type == t })
}

// With returns a copy of es in which the extension of type t holds v: in its
// place if es has one, else at the end.
func (es Extensions) With(t ExtensionType, v Marshaler) (Extensions, error) {
	data, err := Marshal(v)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(es)
	for i := range out {
		if out[i].Type == t {
			out[i].Data = data
			return out, nil
		}
	}
	return append(out, Extension{Type: t, Data: data}), nil
}

// Equal reports whether es and o hold the same extensions in the same order.
func (es Extensions) Equal(o Extensions) bool {
	return slices.EqualFunc(es, o, func(a, b Extension) bool {
		return a.Type == b.Type && bytes.Equal(a.Data, b.Data)
	})
}

// CheckUnique fails with [ErrExtension] if a type stands twice in es.
func (es Extensions) CheckUnique() error {
	if len(es) < 2 {
		return nil
	}
	seen := make(map[ExtensionType]struct{}, len(es))
	for _, e := range es {
		if _, dup := seen[e.Type]; dup {
			return fmt.Errorf("%w: type %v stands twice", ErrExtension, e.Type)
		}
		seen[e.Type] = struct{}{}
	}
	return nil
}

// Decode reads the extension of type t into v. It reports whether there is
// one, and fails with [ErrExtension] if it is malformed.
func (es Extensions) Decode(t ExtensionType, v Unmarshaler) (ok bool, err error) {
	data, ok := es.Find(t)
	if !ok {
		return false, nil
	}
	if err := Unmarshal(data, v); err != nil {
		return true, fmt.Errorf("%w: %w", ErrExtension, err)
	}
	return true, nil
}

// RequiredCapabilities is the extension of RFC 9420, Section 11.1.
type RequiredCapabilities struct {
	Extensions  []ExtensionType
	Proposals   []ProposalType
	Credentials []CredentialType
}

// MarshalTLS encodes c.
func (c *RequiredCapabilities) MarshalTLS(w *tlscodec.Writer) {
	writeUint16s(w, c.Extensions)
	writeUint16s(w, c.Proposals)
	writeUint16s(w, c.Credentials)
}

// UnmarshalTLS decodes c.
func (c *RequiredCapabilities) UnmarshalTLS(r *tlscodec.Reader) {
	c.Extensions = readUint16s[ExtensionType](r)
	c.Proposals = readUint16s[ProposalType](r)
	c.Credentials = readUint16s[CredentialType](r)
}

// ExternalPub is the extension of RFC 9420, Section 12.4.3.2: an HPKE public
// key, which has a length header of its own inside the extension.
type ExternalPub struct{ Key []byte }

// MarshalTLS encodes e.
func (e *ExternalPub) MarshalTLS(w *tlscodec.Writer) { w.Opaque(e.Key) }

// UnmarshalTLS decodes e.
func (e *ExternalPub) UnmarshalTLS(r *tlscodec.Reader) { e.Key = r.Opaque() }

// ExternalSender may send proposals without being a member (RFC 9420, Section
// 12.1.8.1).
type ExternalSender struct {
	SignatureKey []byte
	Credential   Credential
}

// MarshalTLS encodes s.
func (s *ExternalSender) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(s.SignatureKey)
	s.Credential.MarshalTLS(w)
}

// UnmarshalTLS decodes s.
func (s *ExternalSender) UnmarshalTLS(r *tlscodec.Reader) {
	s.SignatureKey = r.Opaque()
	s.Credential.UnmarshalTLS(r)
}

// ExternalSenders is the content of the external_senders extension.
type ExternalSenders []ExternalSender

// MarshalTLS encodes s.
func (s *ExternalSenders) MarshalTLS(w *tlscodec.Writer) { writeVector(w, *s) }

// UnmarshalTLS decodes s. More than 1,024 senders are refused.
func (s *ExternalSenders) UnmarshalTLS(r *tlscodec.Reader) {
	*s = readVectorUpTo[ExternalSender](r, maxTypes)
}
