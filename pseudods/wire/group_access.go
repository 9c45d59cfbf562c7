package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// TargetedMessage is the body of [OpTargetedMessage], signed by the leaf that
// sends it: a message for one member of the group. It takes no number in the
// group's order, so that the others miss nothing. The answer is an [Accepted].
type TargetedMessage struct {
	Group GroupID
	Leaf  mls.LeafIndex // the recipient's
	// Content is the members' own; they encrypt it.
	Content []byte
}

// MarshalTLS encodes m.
func (m *TargetedMessage) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(m.Group[:])
	w.Uint32(uint32(m.Leaf))
	w.Opaque(m.Content)
}

// UnmarshalTLS decodes m.
func (m *TargetedMessage) UnmarshalTLS(r *tlscodec.Reader) {
	copy(m.Group[:], r.Fixed(GroupIDSize))
	m.Leaf, m.Content = mls.LeafIndex(r.Uint32()), r.Opaque()
}

// AccessRequest is the body of [OpAccessRequest], signed by a leaf, without a
// group state key and paid with tokens: a member that missed a removal has no key
// that opens the group. The service cannot check the signature before another
// member brings a key. Then it does, and hands the whole request to that member
// (see [Accepted]), which may answer with a [TargetedMessage] that holds the key,
// sealed to Key. The answer to the request itself is empty, and the same whether
// there is such a group.
type AccessRequest struct {
	Group GroupID
	// Key is an X25519 key that was made for this request.
	Key [32]byte
}

// MarshalTLS encodes a.
func (a *AccessRequest) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(a.Group[:])
	w.Raw(a.Key[:])
}

// UnmarshalTLS decodes a.
func (a *AccessRequest) UnmarshalTLS(r *tlscodec.Reader) {
	copy(a.Group[:], r.Fixed(GroupIDSize))
	copy(a.Key[:], r.Fixed(len(a.Key)))
}

// AccessGrant is what a member answers to an [AccessRequest]: the group state key
// of the present epoch, sealed to the request's key, see package seal.
type AccessGrant struct {
	Epoch         uint64
	GroupStateKey secret.Bytes
}

// MarshalTLS encodes g.
func (g *AccessGrant) MarshalTLS(w *tlscodec.Writer) {
	w.Uint64(g.Epoch)
	writeSecret(w, g.GroupStateKey, GroupStateKeySize)
}

// UnmarshalTLS decodes g.
func (g *AccessGrant) UnmarshalTLS(r *tlscodec.Reader) {
	*g = AccessGrant{Epoch: r.Uint64(), GroupStateKey: secret.Clone(r.Fixed(GroupStateKeySize))}
}

// OutcomeQuery is the body of [OpCommitOutcome], which nobody signs: which commit
// began an epoch. It serves a committer whose answer was lost until it expired.
// The group state key may be that of the epoch before, or the one that the commit
// itself brought, which opens the group only if that commit won. The answer is a
// [CommitOutcome].
type OutcomeQuery struct {
	Group GroupID
	Epoch uint64 // that the commit began
}

// MarshalTLS encodes q.
func (q *OutcomeQuery) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(q.Group[:])
	w.Uint64(q.Epoch)
}

// UnmarshalTLS decodes q.
func (q *OutcomeQuery) UnmarshalTLS(r *tlscodec.Reader) {
	copy(q.Group[:], r.Fixed(GroupIDSize))
	q.Epoch = r.Uint64()
}

// CommitOutcome is the answer to [OpCommitOutcome].
type CommitOutcome struct {
	Epoch uint64 // the group's current one
	// Commit is SHA-256 of the MLSMessage that began the epoch asked for. Nil if
	// no commit has begun it yet, or it is too long ago.
	Commit *[sha256.Size]byte
}

// MarshalTLS encodes o.
func (o *CommitOutcome) MarshalTLS(w *tlscodec.Writer) {
	w.Uint64(o.Epoch)
	w.Bool(o.Commit != nil)
	if o.Commit != nil {
		w.Raw(o.Commit[:])
	}
}

// UnmarshalTLS decodes o.
func (o *CommitOutcome) UnmarshalTLS(r *tlscodec.Reader) {
	*o = CommitOutcome{Epoch: r.Uint64()}
	if r.Bool() {
		o.Commit = new([sha256.Size]byte)
		copy(o.Commit[:], r.Fixed(sha256.Size))
	}
}

// VerificationKeys is the answer to [OpVerificationKey], whose body is empty: the
// Ed25519 keys by which a delivery service signs, the one to use first. It stands
// in the external_senders of a group (RFC 9420, Section 12.1.8.1) whose members
// let the service propose removals, with a basic credential of the service's
// domain.
type VerificationKeys [][ed25519.PublicKeySize]byte

// MarshalTLS encodes ks.
func (ks *VerificationKeys) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, k := range *ks {
			w.Raw(k[:])
		}
	})
}

// UnmarshalTLS decodes ks.
func (ks *VerificationKeys) UnmarshalTLS(r *tlscodec.Reader) {
	*ks = nil
	r.Vector(func(r *tlscodec.Reader) {
		*ks = append(*ks, [ed25519.PublicKeySize]byte{})
		copy((*ks)[len(*ks)-1][:], r.Fixed(ed25519.PublicKeySize))
	})
	if r.Err() == nil && len(*ks) == 0 {
		r.Fail(fmt.Errorf("%w: no key", tlscodec.ErrValue))
	}
}
