package moderation

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
)

// MaxReport is the longest encoding of a report, in octets. Sealed and padded it
// is one record of any store.
const MaxReport = 384 << 10

var (
	// ErrReport: the octets are no report.
	ErrReport = errors.New("moderation: malformed report")
	// ErrOpening: what is said of the accused does not fit the report.
	ErrOpening = errors.New("moderation: the decision does not fit the report")
)

// Opened is a report as those see it who decide.
type Opened struct {
	ds.Report
	// Salt is random, and makes the commitment of a case say nothing.
	Salt [32]byte
}

// Opening says who is accused, as only who has opened the report can.
type Opening struct {
	Salt       [32]byte
	Domain     string
	Credential mls.Credential
	Key        ed25519.PublicKey
}

// Opening returns what a decision to uphold needs.
func (o *Opened) Opening() *Opening {
	return &Opening{Salt: o.Salt, Domain: o.Domain, Credential: o.Credential, Key: o.Key}
}

const reportVersion = 1

// marshal encodes the report: version (u16), salt, ID, group, the accused's
// pseudonyms of client and user, domain (opaque<V>), credential, key, reason (u8), note
// (opaque<V>), and a vector of content (opaque<V>) and day (u64) of each message.
func (o *Opened) marshal() ([]byte, error) {
	if len(o.Key) != ed25519.PublicKeySize {
		return nil, ErrReport
	}
	var w tlscodec.Writer
	w.Uint16(reportVersion)
	w.Raw(o.Salt[:])
	w.Raw(o.ID[:])
	w.Raw(o.Group[:])
	w.Raw(o.Client[:])
	w.Raw(o.User[:])
	w.Opaque([]byte(o.Domain))
	o.Credential.MarshalTLS(&w)
	w.Raw(o.Key)
	w.Uint8(o.Reason)
	w.Opaque(o.Note)
	w.Vector(func(w *tlscodec.Writer) {
		for _, m := range o.Messages {
			w.Opaque(m.Content)
			w.Uint64(m.Day)
		}
	})
	b, err := w.Bytes()
	if err == nil && len(b) > MaxReport {
		err = seal.ErrTooLarge
	}
	return b, err
}

// parseOpened decodes what marshal encoded. It fails with [ErrReport].
func parseOpened(b []byte) (*Opened, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{MaxBytes: MaxReport})
	if r.Uint16() != reportVersion {
		r.Fail(tlscodec.ErrValue)
	}
	o := new(Opened)
	copy(o.Salt[:], r.Fixed(len(o.Salt)))
	copy(o.ID[:], r.Fixed(len(o.ID)))
	copy(o.Group[:], r.Fixed(len(o.Group)))
	copy(o.Client[:], r.Fixed(len(o.Client)))
	copy(o.User[:], r.Fixed(len(o.User)))
	o.Domain = string(r.Opaque())
	o.Credential.UnmarshalTLS(r)
	o.Key = r.Fixed(ed25519.PublicKeySize)
	o.Reason = r.Uint8()
	o.Note = r.Opaque()
	r.Vector(func(r *tlscodec.Reader) {
		o.Messages = append(o.Messages, ds.ReportedMessage{Content: r.Opaque(), Day: r.Uint64()})
	})
	if r.Finish() != nil {
		return nil, ErrReport
	}
	return o, nil
}

// OpenReport opens a case. It fails with [seal.ErrOpen] or [ErrReport].
func OpenReport(key *seal.PrivateKey, id CaseID, c *Case) (*Opened, error) {
	b, err := seal.OpenReport(key, id[:], c.Sealed)
	if err != nil {
		return nil, err
	}
	o, err := parseOpened(b)
	if err != nil {
		return nil, err
	}
	if !o.Opening().fits(c.Commitment) {
		return nil, ErrReport
	}
	return o, nil
}

// OpenWith opens a case with one of the keys. It fails with [seal.ErrOpen] or
// [ErrReport].
func OpenWith(keys []*seal.PrivateKey, id CaseID, c *Case) (*Opened, error) {
	err := seal.ErrOpen
	for _, k := range keys {
		var o *Opened
		if o, err = OpenReport(k, id, c); !errors.Is(err, seal.ErrOpen) {
			return o, err
		}
	}
	return nil, err
}

// commitment binds a case to the accused.
func (o *Opening) commitment() (c [32]byte, err error) {
	var w tlscodec.Writer
	w.Opaque([]byte("pseudods 1.0 report opening"))
	w.Raw(o.Salt[:])
	w.Opaque([]byte(o.Domain))
	o.Credential.MarshalTLS(&w)
	w.Opaque(o.Key)
	b, err := w.Bytes()
	return sha256.Sum256(b), err
}

func (o *Opening) fits(c [32]byte) bool {
	got, err := o.commitment()
	return err == nil && len(o.Key) == ed25519.PublicKeySize && subtle.ConstantTimeCompare(got[:], c[:]) == 1
}

// marshal encodes an opening: salt, domain (opaque<V>), credential, key.
func (o *Opening) marshal() ([]byte, error) {
	var w tlscodec.Writer
	w.Raw(o.Salt[:])
	w.Opaque([]byte(o.Domain))
	o.Credential.MarshalTLS(&w)
	w.Raw(o.Key)
	return w.Bytes()
}

// parseOpening decodes what marshal encoded. It fails with [ErrOpening].
func parseOpening(b []byte) (*Opening, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{MaxBytes: attester.MaxVerdict})
	o := new(Opening)
	copy(o.Salt[:], r.Fixed(len(o.Salt)))
	o.Domain = string(r.Opaque())
	o.Credential.UnmarshalTLS(r)
	o.Key = slices.Clone(r.Fixed(ed25519.PublicKeySize))
	if r.Finish() != nil {
		return nil, ErrOpening
	}
	return o, nil
}
