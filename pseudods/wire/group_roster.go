package wire

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// The roster of a group holds the keys that open its members' identity links. It
// is a list of parts that are sealed under a key of the members, so that the
// service keeps it without being able to read it, see package identity.

// RosterKeyLabel is the label of the MLS-Exporter (RFC 9420, Section 8.5) that
// gives the key of a generation of the roster, with the group identifier as its
// context and a length of [RosterKeySize], in the epoch that the generation
// begins with.
const RosterKeyLabel = "pseudods roster key"

// RosterKeySize is the size of a roster's key in octets.
const RosterKeySize = 32

// GroupStateKeyLabel is the label of the MLS-Exporter that gives an epoch's group
// state key, with the group identifier as its context and a length of
// [GroupStateKeySize].
const GroupStateKeyLabel = "pseudods group state key"

// MaxRosterPart is the longest part in octets: the link keys of some 6,800
// members.
const MaxRosterPart = 320 << 10

// RosterPart is what a commit does to the roster. A part of the present
// generation is appended. One of the next generation replaces all that is there,
// as is due with every removal.
type RosterPart struct {
	Generation uint64
	Part       []byte
}

func writeRosterPart(w *tlscodec.Writer, p *RosterPart) {
	w.Bool(p != nil)
	if p != nil {
		if len(p.Part) == 0 || len(p.Part) > MaxRosterPart {
			w.Fail(tlscodec.ErrEncode)
		}
		w.Uint64(p.Generation)
		w.Opaque(p.Part)
	}
}

func readRosterPart(r *tlscodec.Reader) *RosterPart {
	if !r.Bool() {
		return nil
	}
	p := &RosterPart{Generation: r.Uint64(), Part: r.Opaque()}
	if r.Err() == nil && (len(p.Part) == 0 || len(p.Part) > MaxRosterPart) {
		r.Fail(fmt.Errorf("%w: roster part", tlscodec.ErrValue))
	}
	return p
}

// Roster is one generation of a group's roster.
type Roster struct {
	Generation uint64
	Parts      [][]byte // in order
}

func writeRoster(w *tlscodec.Writer, o *Roster) {
	w.Bool(o != nil)
	if o != nil {
		w.Uint64(o.Generation)
		writeOctetStrings(w, o.Parts)
	}
}

func readRoster(r *tlscodec.Reader) *Roster {
	if !r.Bool() {
		return nil
	}
	return &Roster{Generation: r.Uint64(), Parts: readOctetStrings(r)}
}

func writeOctetStrings(w *tlscodec.Writer, list [][]byte) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, b := range list {
			w.Opaque(b)
		}
	})
}

func readOctetStrings(r *tlscodec.Reader) (out [][]byte) {
	r.Vector(func(r *tlscodec.Reader) { out = append(out, r.Opaque()) })
	return out
}

// JoinInfo is what a client that was added needs besides its Welcome. Who adds
// it seals it to the client, see package seal.
type JoinInfo struct {
	// GroupStateKey is that of the epoch which the client joins: with it the
	// client asks for the tree, see [OpWelcomeInfo].
	GroupStateKey secret.Bytes
	// DeliverySecret is the client's first one.
	DeliverySecret secret.Bytes
	// RosterGeneration and RosterKey open the roster. The key is zero if the
	// adder has none.
	RosterGeneration uint64
	RosterKey        secret.Bytes
}

// MarshalTLS encodes i.
func (i *JoinInfo) MarshalTLS(w *tlscodec.Writer) {
	writeSecret(w, i.GroupStateKey, GroupStateKeySize)
	writeSecret(w, i.DeliverySecret, DeliverySecretSize)
	w.Bool(!i.RosterKey.IsZero())
	if !i.RosterKey.IsZero() {
		w.Uint64(i.RosterGeneration)
		writeSecret(w, i.RosterKey, RosterKeySize)
	}
}

// UnmarshalTLS decodes i.
func (i *JoinInfo) UnmarshalTLS(r *tlscodec.Reader) {
	*i = JoinInfo{GroupStateKey: secret.Clone(r.Fixed(GroupStateKeySize)), DeliverySecret: secret.Clone(r.Fixed(DeliverySecretSize))}
	if r.Bool() {
		i.RosterGeneration = r.Uint64()
		i.RosterKey = secret.Clone(r.Fixed(RosterKeySize))
	}
}
