package wire

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// GroupMessage is the body of [OpPropose] and [OpSelfRemove], with a proposal in
// a PublicMessage, and of [OpSendMessage], with application data in a
// PrivateMessage. The answer is an [Accepted].
type GroupMessage struct {
	Group   GroupID
	Message []byte // MLSMessage
}

// MarshalTLS encodes m.
func (m *GroupMessage) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(m.Group[:])
	w.Opaque(m.Message)
}

// UnmarshalTLS decodes m.
func (m *GroupMessage) UnmarshalTLS(r *tlscodec.Reader) {
	copy(m.Group[:], r.Fixed(GroupIDSize))
	m.Message = r.Opaque()
}

// UpdateAddress is the body of [OpUpdateQueueAddress]: from the next message on,
// the member who signs gets its messages there. An address and its secret belong
// together and are replaced together. The answer is an [Accepted].
type UpdateAddress struct {
	Group   GroupID
	Address MemberAddress
}

// MarshalTLS encodes u.
func (u *UpdateAddress) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(u.Group[:])
	u.Address.MarshalTLS(w)
}

// UnmarshalTLS decodes u.
func (u *UpdateAddress) UnmarshalTLS(r *tlscodec.Reader) {
	copy(u.Group[:], r.Fixed(GroupIDSize))
	readBound(r, &u.Address)
}

// GroupQuery is the body of [OpWelcomeInfo], signed as AuthJoiner with the
// reference of the KeyPackage that was used, and of [OpExternalCommitInfo],
// which nobody signs, and of [OpDeleteGroup], signed by the last member, whose
// answer is an [Accepted]. The group state key of the first is that of the epoch
// that the Welcome is for.
type GroupQuery struct{ Group GroupID }

// MarshalTLS encodes q.
func (q *GroupQuery) MarshalTLS(w *tlscodec.Writer) { w.Raw(q.Group[:]) }

// UnmarshalTLS decodes q.
func (q *GroupQuery) UnmarshalTLS(r *tlscodec.Reader) { copy(q.Group[:], r.Fixed(GroupIDSize)) }

// WelcomeInfo is the answer to [OpWelcomeInfo].
type WelcomeInfo struct {
	Epoch uint64
	Leaf  uint32 // the joiner's
	Tree  []byte // the epoch's ratchet tree
	// Roster is that of the epoch. Later parts come with later commits. Nil if
	// the group has none.
	Roster *Roster
}

// MarshalTLS encodes i.
func (i *WelcomeInfo) MarshalTLS(w *tlscodec.Writer) {
	w.Uint64(i.Epoch)
	w.Uint32(i.Leaf)
	w.Opaque(i.Tree)
	writeRoster(w, i.Roster)
}

// UnmarshalTLS decodes i.
func (i *WelcomeInfo) UnmarshalTLS(r *tlscodec.Reader) {
	*i = WelcomeInfo{Epoch: r.Uint64(), Leaf: r.Uint32(), Tree: r.Opaque(), Roster: readRoster(r)}
}

// ExternalCommitInfo is the answer to [OpExternalCommitInfo].
type ExternalCommitInfo struct {
	GroupInfo []byte // GroupInfo of the current epoch
	Tree      []byte // empty if it is in the GroupInfo
	// SelfRemoves are proposals that the commit must cover: MLSMessages.
	SelfRemoves [][]byte
	// Roster is that of the group. Nil if it has none.
	Roster *Roster
}

// MarshalTLS encodes i.
func (i *ExternalCommitInfo) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(i.GroupInfo)
	w.Opaque(i.Tree)
	writeOctetStrings(w, i.SelfRemoves)
	writeRoster(w, i.Roster)
}

// UnmarshalTLS decodes i.
func (i *ExternalCommitInfo) UnmarshalTLS(r *tlscodec.Reader) {
	*i = ExternalCommitInfo{GroupInfo: r.Opaque(), Tree: r.Opaque(), SelfRemoves: readOctetStrings(r), Roster: readRoster(r)}
}

// FanoutKind says what a [Fanout] holds.
type FanoutKind uint8

const (
	FanoutCommit      FanoutKind = 1
	FanoutProposal    FanoutKind = 2
	FanoutApplication FanoutKind = 3
	FanoutWelcome     FanoutKind = 4
	FanoutTargeted    FanoutKind = 5
)

// Fanout is what a member finds when it has opened a payload.
type Fanout struct {
	Kind    FanoutKind
	Domain  string // of the delivery service
	Group   GroupID
	Message []byte // MLSMessage, or the content of a [TargetedMessage]
	// JoinInfo comes with a Welcome.
	JoinInfo []byte
	// Roster may come with a commit.
	Roster *RosterPart
	// Sender is the leaf that sent a [TargetedMessage].
	Sender mls.LeafIndex
	// Frank comes with application data of a sender who has a
	// [PseudonymousCredential], if the service has a key to sign by.
	Frank *Frank
}

// MarshalTLS encodes f.
func (f *Fanout) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(f.Kind))
	writeDomain(w, f.Domain)
	w.Raw(f.Group[:])
	w.Opaque(f.Message)
	switch f.Kind {
	case FanoutWelcome:
		w.Opaque(f.JoinInfo)
	case FanoutCommit:
		writeRosterPart(w, f.Roster)
	case FanoutTargeted:
		w.Uint32(uint32(f.Sender))
	case FanoutApplication:
		w.Bool(f.Frank != nil)
		if f.Frank != nil {
			f.Frank.MarshalTLS(w)
		}
	}
	if f.Kind < FanoutCommit || f.Kind > FanoutTargeted {
		w.Fail(tlscodec.ErrEncode)
	}
}

// UnmarshalTLS decodes f.
func (f *Fanout) UnmarshalTLS(r *tlscodec.Reader) {
	*f = Fanout{Kind: FanoutKind(r.Uint8()), Domain: readDomain(r)}
	copy(f.Group[:], r.Fixed(GroupIDSize))
	f.Message = r.Opaque()
	switch f.Kind {
	case FanoutWelcome:
		f.JoinInfo = r.Opaque()
	case FanoutCommit:
		f.Roster = readRosterPart(r)
	case FanoutTargeted:
		f.Sender = mls.LeafIndex(r.Uint32())
	case FanoutApplication:
		if r.Bool() {
			f.Frank = new(Frank)
			f.Frank.UnmarshalTLS(r)
		}
	}
	if r.Err() == nil && (f.Kind < FanoutCommit || f.Kind > FanoutTargeted) {
		r.Fail(fmt.Errorf("%w: kind of a message", tlscodec.ErrValue))
	}
}
