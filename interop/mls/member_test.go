package interop

import (
	"bytes"
	"fmt"

	"github.com/pseudods/pseudods/mls"
)

// kind is who implements a member.
type kind string

const (
	ours kind = "go"
	ts   kind = "ts"
)

func (k kind) other() kind {
	if k == ours {
		return ts
	}
	return ours
}

// member is a client in at most one group. Octet strings are encoded
// MLSMessages, but trees, which are encoded ratchet_tree extensions.
type member interface {
	name() string
	kind() kind
	keyPackage() ([]byte, error)
	putPSK(id, key []byte) error

	create(groupID []byte, extensions []extension) error
	joinWelcome(welcome, tree []byte, continues bool) error
	// joinExternal and commit leave their effect to merge.
	joinExternal(groupInfo, tree []byte, rejoin bool) (*bundle, error)
	commit(how framing, proposals ...proposal) (*bundle, error)
	merge() error
	// successor makes a group that continues the member's one after a ReInit, or
	// branches off it, with a first commit, which needs no merge.
	successor(how framing, branch bool, groupID []byte, keyPackages [][]byte) (*bundle, error)

	propose(how framing, p proposal) ([]byte, error)
	proposeToJoin(groupInfo []byte) ([]byte, error)
	process(message []byte) (application []byte, err error)
	send(data []byte) ([]byte, error)

	groupInfo(inlineTree bool) ([]byte, error)
	tree() ([]byte, error)
	info() (*info, error)
}

// framing is how a handshake and what comes with it are sent.
type framing struct {
	Public     bool `json:"isPublic"`
	InlineTree bool `json:"inlineTree"`
}

func (f framing) String() string {
	s := "private"
	if f.Public {
		s = "public"
	}
	if f.InlineTree {
		return s + ",tree inline"
	}
	return s + ",tree apart"
}

// bundle is a commit with what comes along.
type bundle struct{ Commit, Welcome, GroupInfo, Partial octets }

// unknownType is a proposal type, of the private-use range, that all members
// say they support and neither stack knows.
const unknownType = 0xf0f0

// proposal is one that either kind of member can make. Type is add, remove,
// update (not by value), psk, resumption, extensions, reinit or custom.
type proposal struct {
	Type       string      `json:"type"`
	KeyPackage octets      `json:"keyPackage,omitempty"`
	Leaf       uint32      `json:"leaf"`
	ID         octets      `json:"id,omitempty"`
	Epoch      uint64      `json:"epoch"`
	GroupID    octets      `json:"groupID,omitempty"`
	Extensions []extension `json:"extensions"`
	Number     uint16      `json:"number"`
	Data       octets      `json:"data,omitempty"`
}

type extension struct {
	Type uint16 `json:"type"`
	Data octets `json:"data"`
}

func extensions(es []extension) mls.Extensions {
	out := make(mls.Extensions, len(es))
	for i, e := range es {
		out[i] = mls.Extension{Type: mls.ExtensionType(e.Type), Data: e.Data}
	}
	return out
}

// info is what members of one epoch must agree on, but for Leaf.
type info struct {
	Epoch                        uint64
	Leaf                         uint32
	Ended                        bool
	Members                      int
	TreeHash, Confirmed, Interim octets
	Authenticator, Exported      octets
}

// differs tells where two members disagree, or returns "".
func (a *info) differs(b *info) string {
	for _, f := range []struct {
		what string
		a, b []byte
	}{
		{"tree hash", a.TreeHash, b.TreeHash},
		{"confirmed transcript hash", a.Confirmed, b.Confirmed},
		{"interim transcript hash", a.Interim, b.Interim},
		{"epoch authenticator", a.Authenticator, b.Authenticator},
		{"exported secret", a.Exported, b.Exported},
	} {
		if !bytes.Equal(f.a, f.b) {
			return f.what
		}
	}
	if a.Epoch != b.Epoch || a.Ended != b.Ended || a.Members != b.Members {
		return fmt.Sprintf("epoch, end or size: %d %t %d, %d %t %d", a.Epoch, a.Ended, a.Members, b.Epoch, b.Ended, b.Members)
	}
	return ""
}

// decode reads an MLSMessage.
func decode(b []byte) (*mls.Message, error) {
	m := new(mls.Message)
	return m, mls.Unmarshal(b, m)
}
