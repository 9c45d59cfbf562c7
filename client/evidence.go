package client

import (
	"encoding/hex"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// defaultEvidence is the default of [Config.Evidence], maxEvidenceSize bounds what
// is kept of one group in octets of content: a report of all of it fits a request.
const (
	defaultEvidence = 64
	maxEvidenceSize = 256 << 10
)

// evidence is what it takes to report the last messages of a group. It is a record
// of its own in the vault, which is written before the group's: a message that
// comes again after a crash is kept once.
type evidence struct {
	// serviceKeys are those by which the service franked what is here.
	serviceKeys [][]byte
	senders     []suspect
	messages    []shown
	dirty       bool
}

// suspect is somebody who sent what is kept: it may leave.
type suspect struct {
	credential   wire.PseudonymousCredential
	signatureKey []byte
	linkKey      identity.LinkKey // zero if it was not known
	member       Member           // as it was shown
}

// shown is a message that can be shown to others.
type shown struct {
	sequence uint64
	client   wire.Pseudonym // of the sender
	wire.FrankedMessage
}

// text is what the user saw of it.
func (m *shown) text() []byte {
	var c content
	if mls.Unmarshal(m.Content, &c) != nil {
		return m.Content
	}
	return c.text
}

// keep adds a message, and drops the oldest of too many.
func (e *evidence) keep(most int, by suspect, m shown) {
	if slices.ContainsFunc(e.messages, func(o shown) bool { return o.sequence == m.sequence }) {
		return
	}
	e.dirty = true
	e.messages = append(e.messages, m)
	size := 0
	for _, m := range e.messages {
		size += len(m.Content)
	}
	for len(e.messages) > most || size > maxEvidenceSize {
		size -= len(e.messages[0].Content)
		e.messages = e.messages[1:]
	}
	e.senders = slices.DeleteFunc(e.senders, func(s suspect) bool {
		return s.credential.Client == m.client || !slices.ContainsFunc(e.messages, func(m shown) bool { return m.client == s.credential.Client })
	})
	if len(e.messages) > 0 {
		e.senders = append(e.senders, by)
	}
}

func (e *evidence) sender(c wire.Pseudonym) *suspect {
	for i := range e.senders {
		if e.senders[i].credential.Client == c {
			return &e.senders[i]
		}
	}
	return nil
}

func (e *evidence) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(1) // version
	writeStrings(w, e.serviceKeys)
	w.Vector(func(w *tlscodec.Writer) {
		for i := range e.senders {
			s := &e.senders[i]
			s.credential.MarshalTLS(w)
			w.Opaque(s.signatureKey)
			w.Opaque(s.linkKey.Reveal())
			s.member.MarshalTLS(w)
		}
	})
	w.Vector(func(w *tlscodec.Writer) {
		for i := range e.messages {
			m := &e.messages[i]
			w.Uint64(m.sequence)
			w.Raw(m.client[:])
			m.FrankedMessage.MarshalTLS(w)
		}
	})
}

func (e *evidence) UnmarshalTLS(r *tlscodec.Reader) {
	*e = evidence{}
	if v := r.Uint8(); r.Err() == nil && v != 1 {
		r.Fail(tlscodec.ErrValue)
	}
	e.serviceKeys = readStrings(r)
	r.Vector(func(r *tlscodec.Reader) {
		var s suspect
		s.credential.UnmarshalTLS(r)
		s.signatureKey = r.Opaque()
		key := r.Opaque()
		if r.Err() == nil && len(key) != 0 && len(key) != identity.LinkKeySize {
			r.Fail(tlscodec.ErrValue)
		}
		if len(key) > 0 {
			s.linkKey = identity.LinkKey{Bytes: secret.Clone(key)}
		}
		s.member.UnmarshalTLS(r)
		e.senders = append(e.senders, s)
	})
	r.Vector(func(r *tlscodec.Reader) {
		m := shown{sequence: r.Uint64()}
		copy(m.client[:], r.Fixed(len(m.client)))
		m.FrankedMessage.UnmarshalTLS(r)
		e.messages = append(e.messages, m)
	})
}

// evidenceName is that of the record in the vault.
func (g *Group) evidenceName() string { return "evidence/" + hex.EncodeToString(g.id[:]) }

func (g *Group) loadEvidence() error {
	b, err := g.c.cfg.Account.Vault.Get(g.evidenceName())
	if errors.Is(err, vault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return mls.UnmarshalWithin(mls.Limits{MaxBytes: len(b)}, b, &g.evidence)
}

func (g *Group) saveEvidence() error {
	if !g.evidence.dirty {
		return nil
	}
	b, err := mls.Marshal(&g.evidence)
	if err != nil {
		return err
	}
	if err := g.c.cfg.Account.Vault.Put(g.evidenceName(), b); err != nil {
		return err
	}
	g.evidence.dirty = false
	return nil
}

// dropEvidence forgets all: who is no member cannot report.
func (g *Group) dropEvidence() error {
	g.evidence = evidence{}
	return g.c.cfg.Account.Vault.Delete(g.evidenceName())
}
