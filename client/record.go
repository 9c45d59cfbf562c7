package client

import (
	"slices"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// State is how a client stands to a group.
type State uint8

const (
	// StateCreating: the service has not yet said that the group is there.
	StateCreating State = 1
	// StateActive: the client is a member.
	StateActive State = 2
	// StateLeaving: the client asked to be removed; somebody has to commit that.
	StateLeaving State = 3
	// StateLost: the client is a member that cannot follow; see [Group.Rejoin].
	StateLost State = 4
	// StateLeft: the client is no longer a member.
	StateLeft State = 5

	lastState = StateLeft
)

// record is what is durable of a group.
type record struct {
	state   State
	domain  string // of the group's delivery service
	label   string // by which the user knows the group
	persona account.Persona
	// address is the present one, and bound tells that it was made for this group
	// and is not that of a KeyPackage; sequence that of the newest message handled.
	address  wire.AddressID
	bound    bool
	sequence uint64
	mls      []byte // saved state of mls/group

	// roster is the generation that is known, with its parts as they came. The
	// key is zero as long as nobody has told it.
	generation uint64
	rosterKey  secret.Bytes
	parts      [][]byte
	// told are link keys of members that are not yet in the roster.
	told map[wire.Pseudonym]identity.LinkKey
	// stale tells that somebody left without a new generation.
	stale bool
	// newcomer tells that somebody joined from outside who may lack the roster's
	// key, hello that this client did.
	newcomer, hello bool
	// unwanted tells that the client is to leave, and that the service does not know
	// it yet: it was added against its will, or an answer was lost.
	unwanted bool

	commit *pendingCommit
	outbox []outgoing
	seen   [][contentIDSize]byte // contents that came last
	events events

	// access is the private key of a request for access that was made, granted
	// what came of it.
	access, granted secret.Bytes
}

// pendingCommit is what belongs to the commit that waits in the mls state, or to the
// request that makes a group in [StateCreating], for which digest and part are zero.
type pendingCommit struct {
	digest [32]byte // of the commit's MLSMessage
	until  uint64   // when its request expires, in seconds since the Unix epoch
	part   *wire.RosterPart
	key    secret.Bytes // group state key of the epoch it makes
	// op and body are the request, which is made again if it was not answered. The
	// body is empty if it was refused.
	op   wire.Operation
	body secret.Bytes
}

// outgoing is a content that the service has not yet taken.
type outgoing struct {
	content []byte
	until   uint64 // no earlier attempt can be accepted after this
}

const maxSeen = 512

// remember notes a content, and reports whether it came before.
func (r *record) remember(id [contentIDSize]byte) bool {
	if slices.Contains(r.seen, id) {
		return true
	}
	r.seen = append(r.seen, id)
	if len(r.seen) > maxSeen {
		r.seen = slices.Delete(r.seen, 0, len(r.seen)-maxSeen)
	}
	return false
}

func (r *record) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(1) // version
	w.Uint8(uint8(r.state))
	w.Opaque([]byte(r.domain))
	w.Opaque([]byte(r.label))
	r.persona.MarshalTLS(w)
	w.Raw(r.address[:])
	w.Bool(r.bound)
	w.Uint64(r.sequence)
	w.Opaque(r.mls)
	w.Uint64(r.generation)
	w.Opaque(r.rosterKey.Reveal())
	writeStrings(w, r.parts)
	w.Vector(func(w *tlscodec.Writer) {
		for p, k := range r.told {
			w.Raw(p[:])
			w.Opaque(k.Reveal())
		}
	})
	w.Bool(r.stale)
	w.Bool(r.newcomer)
	w.Bool(r.hello)
	w.Bool(r.unwanted)
	w.Bool(r.commit != nil)
	if c := r.commit; c != nil {
		w.Raw(c.digest[:])
		w.Uint64(c.until)
		w.Bool(c.part != nil)
		if c.part != nil {
			w.Uint64(c.part.Generation)
			w.Opaque(c.part.Part)
		}
		w.Opaque(c.key.Reveal())
		w.Uint16(uint16(c.op))
		w.Opaque(c.body.Reveal())
	}
	w.Vector(func(w *tlscodec.Writer) {
		for _, o := range r.outbox {
			w.Opaque(o.content)
			w.Uint64(o.until)
		}
	})
	w.Vector(func(w *tlscodec.Writer) {
		for _, id := range r.seen {
			w.Raw(id[:])
		}
	})
	r.events.MarshalTLS(w)
	w.Opaque(r.access.Reveal())
	w.Opaque(r.granted.Reveal())
}

func (r *record) UnmarshalTLS(d *tlscodec.Reader) {
	*r = record{}
	if v := d.Uint8(); d.Err() == nil && v != 1 {
		d.Fail(tlscodec.ErrValue)
	}
	r.state = State(d.Uint8())
	if d.Err() == nil && (r.state == 0 || r.state > lastState) {
		d.Fail(tlscodec.ErrValue)
	}
	r.domain, r.label = string(d.Opaque()), string(d.Opaque())
	r.persona.UnmarshalTLS(d)
	copy(r.address[:], d.Fixed(len(r.address)))
	r.bound = d.Bool()
	r.sequence = d.Uint64()
	r.mls = d.Opaque()
	r.generation = d.Uint64()
	r.rosterKey = readOptional(d)
	r.parts = readStrings(d)
	r.told = map[wire.Pseudonym]identity.LinkKey{}
	d.Vector(func(d *tlscodec.Reader) {
		var p wire.Pseudonym
		copy(p[:], d.Fixed(len(p)))
		r.told[p] = identity.LinkKey{Bytes: readKey(d, identity.LinkKeySize)}
	})
	r.stale, r.newcomer, r.hello, r.unwanted = d.Bool(), d.Bool(), d.Bool(), d.Bool()
	if d.Bool() {
		c := new(pendingCommit)
		copy(c.digest[:], d.Fixed(len(c.digest)))
		c.until = d.Uint64()
		if d.Bool() {
			c.part = &wire.RosterPart{Generation: d.Uint64(), Part: d.Opaque()}
		}
		c.key = readKey(d, wire.GroupStateKeySize)
		c.op, c.body = wire.Operation(d.Uint16()), secret.Clone(d.Opaque())
		r.commit = c
	}
	d.Vector(func(d *tlscodec.Reader) { r.outbox = append(r.outbox, outgoing{d.Opaque(), d.Uint64()}) })
	d.Vector(func(d *tlscodec.Reader) { r.seen = append(r.seen, [contentIDSize]byte(pad16(d.Fixed(contentIDSize)))) })
	r.events.UnmarshalTLS(d)
	r.access, r.granted = readOptional(d), readOptional(d)
}

// pad16 lets an array be made of what Fixed returns after an error, too.
func pad16(b []byte) []byte {
	if b == nil {
		return make([]byte, contentIDSize)
	}
	return b
}

func readOptional(d *tlscodec.Reader) secret.Bytes {
	b := d.Opaque()
	if len(b) == 0 {
		return secret.Bytes{}
	}
	return secret.Clone(b)
}

func writeStrings(w *tlscodec.Writer, list [][]byte) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, b := range list {
			w.Opaque(b)
		}
	})
}

func readStrings(r *tlscodec.Reader) (out [][]byte) {
	r.Vector(func(r *tlscodec.Reader) { out = append(out, r.Opaque()) })
	return out
}

// parseRecord decodes a record, which may hold the state of a large group.
func parseRecord(b []byte) (*record, error) {
	r := new(record)
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: len(b)}, b, r); err != nil {
		return nil, err
	}
	return r, nil
}
