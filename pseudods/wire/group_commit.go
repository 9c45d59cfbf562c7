package wire

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// DeliverySecretSize is the size in octets of the secret that a member shares
// with the group's delivery service, see package seal.
const DeliverySecretSize = 32

// MemberAddress is where a member wants its messages. Other members do not see
// it.
type MemberAddress struct {
	Address QueueAddress
	Secret  secret.Bytes // DeliverySecretSize octets
}

// MarshalTLS encodes m.
func (m *MemberAddress) MarshalTLS(w *tlscodec.Writer) {
	m.Address.MarshalTLS(w)
	writeSecret(w, m.Secret, DeliverySecretSize)
}

// UnmarshalTLS decodes m.
func (m *MemberAddress) UnmarshalTLS(r *tlscodec.Reader) {
	m.Address.UnmarshalTLS(r)
	m.Secret = secret.Clone(r.Fixed(DeliverySecretSize))
}

func writeSecret(w *tlscodec.Writer, s secret.Bytes, size int) {
	if s.Len() != size {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Raw(s.Reveal())
}

// CreateGroup is the body of [OpCreateGroup], signed as AuthJoiner by the
// signature key of the creator's leaf. The request's group state key is that of
// epoch 0. The answer is an [Accepted].
type CreateGroup struct {
	Group     GroupID
	GroupInfo []byte // MLSMessage, of epoch 0
	Tree      []byte // ratchet tree of the one leaf
	Address   *MemberAddress
	// Roster begins the group's roster, at generation 0. Nil for a group without
	// one.
	Roster *RosterPart
}

// MarshalTLS encodes c.
func (c *CreateGroup) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(c.Group[:])
	w.Opaque(c.GroupInfo)
	w.Opaque(c.Tree)
	writeAddress(w, c.Address)
	writeRosterPart(w, c.Roster)
}

func writeAddress(w *tlscodec.Writer, a *MemberAddress) {
	w.Bool(a != nil)
	if a != nil {
		a.MarshalTLS(w)
	}
}

func readAddress(r *tlscodec.Reader) (a *MemberAddress) {
	if r.Bool() {
		a = new(MemberAddress)
		readBound(r, a)
	}
	return a
}

// readBound reads an address that a member gives itself. It must be bound to the
// group: others could be somebody else's, out of a KeyPackage.
func readBound(r *tlscodec.Reader, a *MemberAddress) {
	a.UnmarshalTLS(r)
	if r.Err() == nil && a.Address.Sealed.Kind != AddressBound {
		r.Fail(fmt.Errorf("%w: address is not bound", tlscodec.ErrValue))
	}
}

// UnmarshalTLS decodes c.
func (c *CreateGroup) UnmarshalTLS(r *tlscodec.Reader) {
	copy(c.Group[:], r.Fixed(GroupIDSize))
	c.GroupInfo, c.Tree = r.Opaque(), r.Opaque()
	c.Address = readAddress(r)
	c.Roster = readRosterPart(r)
}

// Joiner is what the service needs to know of a client that a commit adds. Its
// address is in the KeyPackage's extension [ExtensionQueueAddress].
type Joiner struct {
	// Secret is the client's first delivery secret. The adder drew it and tells
	// the client in JoinInfo.
	Secret secret.Bytes
	// JoinInfo goes to the client with the Welcome: a [JoinInfo] that is sealed
	// to the client, see package seal.
	JoinInfo []byte
}

// GroupCommit is the body of every operation that changes a group by a commit:
// the request's operation says what the commit is meant to do, and one that does
// something else is refused. The answer is an [Accepted].
type GroupCommit struct {
	Group  GroupID
	Commit []byte // MLSMessage of a PublicMessage
	// Welcome is an MLSMessage if the commit adds anybody, else empty.
	Welcome []byte
	// Exactly one of GroupInfo, an MLSMessage, and PartialGroupInfo is not empty.
	GroupInfo, PartialGroupInfo []byte
	// NextKey is the group state key of the epoch that the commit begins.
	NextKey secret.Bytes
	// Joiners are those that the commit adds, in the order of its proposals.
	Joiners []Joiner
	// Address is that of a client that joins by the commit. Nil otherwise.
	Address *MemberAddress
	// Roster follows the commit in the group's roster. Nil if the committer
	// keeps none.
	Roster *RosterPart
}

// MarshalTLS encodes c.
func (c *GroupCommit) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(c.Group[:])
	w.Opaque(c.Commit)
	w.Opaque(c.Welcome)
	w.Opaque(c.GroupInfo)
	w.Opaque(c.PartialGroupInfo)
	writeSecret(w, c.NextKey, GroupStateKeySize)
	w.Vector(func(w *tlscodec.Writer) {
		for _, j := range c.Joiners {
			writeSecret(w, j.Secret, DeliverySecretSize)
			w.Opaque(j.JoinInfo)
		}
	})
	writeAddress(w, c.Address)
	writeRosterPart(w, c.Roster)
}

// UnmarshalTLS decodes c.
func (c *GroupCommit) UnmarshalTLS(r *tlscodec.Reader) {
	*c = GroupCommit{}
	copy(c.Group[:], r.Fixed(GroupIDSize))
	c.Commit, c.Welcome, c.GroupInfo, c.PartialGroupInfo = r.Opaque(), r.Opaque(), r.Opaque(), r.Opaque()
	c.NextKey = secret.Clone(r.Fixed(GroupStateKeySize))
	r.Vector(func(r *tlscodec.Reader) {
		c.Joiners = append(c.Joiners, Joiner{Secret: secret.Clone(r.Fixed(DeliverySecretSize)), JoinInfo: r.Opaque()})
	})
	c.Address = readAddress(r)
	c.Roster = readRosterPart(r)
	if r.Err() == nil && (len(c.GroupInfo) == 0) == (len(c.PartialGroupInfo) == 0) {
		r.Fail(fmt.Errorf("%w: not one GroupInfo", tlscodec.ErrValue))
	}
}

// Accepted tells that an operation was carried out.
type Accepted struct {
	Epoch uint64 // of the group afterwards
	// Sequence is the place in the group of the message that went out to all
	// members, or of the last one before. Places follow one another without gaps.
	Sequence uint64
	// Access are requests of members who lost the group state key, see
	// [AccessRequest]: encoded Requests whose signatures the service has
	// checked. Whoever gets them is asked to answer.
	Access [][]byte
}

// MarshalTLS encodes a.
func (a *Accepted) MarshalTLS(w *tlscodec.Writer) {
	w.Uint64(a.Epoch)
	w.Uint64(a.Sequence)
	writeOctetStrings(w, a.Access)
}

// UnmarshalTLS decodes a.
func (a *Accepted) UnmarshalTLS(r *tlscodec.Reader) {
	*a = Accepted{Epoch: r.Uint64(), Sequence: r.Uint64(), Access: readOctetStrings(r)}
}
