package wire

import (
	"fmt"
	"unicode/utf8"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// AbuseReason is the reporter's word for what a report is about. It proves
// nothing; a service passes on those that it does not know.
type AbuseReason uint8

// The reasons that have names.
const (
	ReasonOther         AbuseReason = 0
	ReasonSpam          AbuseReason = 1
	ReasonHarassment    AbuseReason = 2
	ReasonImpersonation AbuseReason = 3
	ReasonIllegal       AbuseReason = 4
)

// Bounds of an [AbuseReport].
const (
	MaxReported   = 64   // messages
	MaxReportNote = 1024 // octets
)

// maxSignatureKey is the longest signature key of an MLS suite in octets.
const maxSignatureKey = 133

// FrankedMessage is a message as its receiver shows it to others.
type FrankedMessage struct {
	Content []byte
	Key     secret.Bytes // opens the tag, see [FrankedContent]
	Epoch   uint64
	Frank   Frank
}

// MarshalTLS encodes m.
func (m *FrankedMessage) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(m.Content)
	writeSecret(w, m.Key, FrankingKeySize)
	w.Uint64(m.Epoch)
	m.Frank.MarshalTLS(w)
}

// UnmarshalTLS decodes m.
func (m *FrankedMessage) UnmarshalTLS(r *tlscodec.Reader) {
	*m = FrankedMessage{Content: r.Opaque(), Key: secret.Clone(r.Fixed(FrankingKeySize)), Epoch: r.Uint64()}
	m.Frank.UnmarshalTLS(r)
}

// AbuseReport is the body of [OpReportAbuse], signed by the reporter's leaf: what
// a member sent, and who is behind its pseudonym. Nobody but the service sees it.
// The answer is empty, and the same if the service has the report already.
type AbuseReport struct {
	Group GroupID
	// Credential and SignatureKey are those of the accused's leaf, which need not
	// be in the group any more. LinkKey opens the identity link in the credential.
	Credential   PseudonymousCredential
	SignatureKey []byte
	LinkKey      secret.Bytes
	// Messages are at least one and at most [MaxReported], all different.
	Messages []FrankedMessage
	Reason   AbuseReason
	// Note is UTF-8 of at most [MaxReportNote] octets.
	Note []byte
}

func (a *AbuseReport) valid() bool {
	return len(a.SignatureKey) > 0 && len(a.SignatureKey) <= maxSignatureKey && len(a.Messages) > 0 && len(a.Messages) <= MaxReported &&
		len(a.Note) <= MaxReportNote && utf8.Valid(a.Note)
}

// MarshalTLS encodes a.
func (a *AbuseReport) MarshalTLS(w *tlscodec.Writer) {
	if !a.valid() {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Raw(a.Group[:])
	a.Credential.MarshalTLS(w)
	w.Opaque(a.SignatureKey)
	writeSecret(w, a.LinkKey, LinkKeySize)
	w.Vector(func(w *tlscodec.Writer) {
		for i := range a.Messages {
			a.Messages[i].MarshalTLS(w)
		}
	})
	w.Uint8(uint8(a.Reason))
	w.Opaque(a.Note)
}

// UnmarshalTLS decodes a.
func (a *AbuseReport) UnmarshalTLS(r *tlscodec.Reader) {
	*a = AbuseReport{}
	copy(a.Group[:], r.Fixed(GroupIDSize))
	a.Credential.UnmarshalTLS(r)
	a.SignatureKey = r.Opaque()
	a.LinkKey = secret.Clone(r.Fixed(LinkKeySize))
	r.Vector(func(r *tlscodec.Reader) {
		var m FrankedMessage
		m.UnmarshalTLS(r)
		a.Messages = append(a.Messages, m)
	})
	a.Reason = AbuseReason(r.Uint8())
	a.Note = r.Opaque()
	if r.Err() == nil && !a.valid() {
		r.Fail(fmt.Errorf("%w: report of abuse", tlscodec.ErrValue))
	}
}
