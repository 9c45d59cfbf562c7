package mls

import (
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// PreSharedKeyID names a pre-shared key (RFC 9420, Section 8.4).
type PreSharedKeyID struct {
	Type PSKType
	// ID is an external PSK's name.
	ID []byte
	// Usage, GroupID and Epoch name a resumption PSK.
	Usage   ResumptionPSKUsage
	GroupID []byte
	Epoch   uint64
	// Nonce is fresh for each use, HashSize octets.
	Nonce []byte
}

// MarshalTLS encodes p.
func (p *PreSharedKeyID) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(p.Type))
	switch p.Type {
	case PSKTypeExternal:
		w.Opaque(p.ID)
	case PSKTypeResumption:
		w.Uint8(uint8(p.Usage))
		w.Opaque(p.GroupID)
		w.Uint64(p.Epoch)
	default:
		w.Fail(tlscodec.ErrEncode)
	}
	w.Opaque(p.Nonce)
}

// UnmarshalTLS decodes p.
func (p *PreSharedKeyID) UnmarshalTLS(r *tlscodec.Reader) {
	*p = PreSharedKeyID{Type: PSKType(r.Uint8())}
	switch p.Type {
	case PSKTypeExternal:
		p.ID = r.Opaque()
	case PSKTypeResumption:
		p.Usage = ResumptionPSKUsage(r.Uint8())
		if p.Usage < ResumptionPSKUsageApplication || p.Usage > ResumptionPSKUsageBranch {
			r.Fail(tlscodec.ErrValue)
		}
		p.GroupID = r.Opaque()
		p.Epoch = r.Uint64()
	default:
		r.Fail(tlscodec.ErrValue)
	}
	p.Nonce = r.Opaque()
}

// PSK is a pre-shared key with its name.
type PSK struct {
	ID  PreSharedKeyID
	Key secret.Bytes
}

// PSKSecret combines psks, in order, into psk_secret (RFC 9420, Section 8.4).
// Without any it is HashSize zero octets.
func (s *Suite) PSKSecret(psks []PSK) (secret.Bytes, error) {
	zero := make([]byte, s.HashSize())
	acc := secret.Clone(zero)
	for i := range psks {
		extracted := secret.New(s.Extract(zero, psks[i].Key.Reveal()))
		var w tlscodec.Writer
		psks[i].ID.MarshalTLS(&w)
		w.Uint16(uint16(i))
		w.Uint16(uint16(len(psks)))
		label, err := w.Bytes()
		if err != nil || len(psks) > 0xffff {
			return secret.Bytes{}, ErrEncode
		}
		input := s.ExpandWithLabel(extracted, "derived psk", label, s.HashSize())
		acc = secret.New(s.Extract(input.Reveal(), acc.Reveal()))
	}
	return acc, nil
}
