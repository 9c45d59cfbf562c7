package interop

import (
	"fmt"

	"github.com/pseudods/pseudods/mls"
)

// tsMember is a member that runs in the peer.
type tsMember struct {
	peer *peer
	id   string
}

var _ member = (*tsMember)(nil)

// newTS makes a member. With quirks it is ts-mls as it comes, without what
// member.mjs does for it.
func (p *peer) newTS(suite mls.CipherSuite, quirks bool) (*tsMember, error) {
	p.made++
	m := &tsMember{peer: p, id: fmt.Sprintf("ts%d", p.made)}
	return m, m.call("new", object{"suite": suite, "name": m.id, "proposals": []uint16{unknownType}, "quirks": quirks}, nil)
}

type object = map[string]any

// list is never null in JSON.
func list[T any](s []T) []T { return append([]T{}, s...) }

func (m *tsMember) call(call string, args, out any) error { return m.peer.call(m.id, call, args, out) }

// message makes a call whose result is one message.
func (m *tsMember) message(call string, args any) ([]byte, error) {
	var r struct{ Message octets }
	err := m.call(call, args, &r)
	return r.Message, err
}

func (m *tsMember) name() string                { return m.id }
func (m *tsMember) kind() kind                  { return ts }
func (m *tsMember) keyPackage() ([]byte, error) { return m.message("keyPackage", nil) }

func (m *tsMember) putPSK(id, key []byte) error {
	return m.call("putPSK", object{"id": octets(id), "key": octets(key)}, nil)
}

func (m *tsMember) create(groupID []byte, es []extension) error {
	return m.call("create", object{"groupID": octets(groupID), "extensions": list(es)}, nil)
}

func (m *tsMember) joinWelcome(welcome, tree []byte, continues bool) error {
	args := object{"welcome": octets(welcome), "continues": continues}
	if tree != nil {
		args["tree"] = octets(tree)
	}
	return m.call("joinWelcome", args, nil)
}

func (m *tsMember) joinExternal(groupInfo, tree []byte, rejoin bool) (*bundle, error) {
	args := object{"groupInfo": octets(groupInfo), "rejoin": rejoin}
	if tree != nil {
		args["tree"] = octets(tree)
	}
	c := new(bundle)
	return c, m.call("joinExternal", args, c)
}

func (m *tsMember) commit(how framing, proposals ...proposal) (*bundle, error) {
	c := new(bundle)
	return c, m.call("commit", object{"isPublic": how.Public, "inlineTree": how.InlineTree, "proposals": list(proposals)}, c)
}

func (m *tsMember) merge() error { return m.call("merge", nil, nil) }

func (m *tsMember) successor(_ framing, branch bool, groupID []byte, keyPackages [][]byte) (*bundle, error) {
	kps := make([]octets, len(keyPackages))
	for i, k := range keyPackages {
		kps[i] = k
	}
	c := new(bundle)
	return c, m.call("successor", object{"branch": branch, "groupID": octets(groupID), "keyPackages": kps}, c)
}

func (m *tsMember) propose(how framing, p proposal) ([]byte, error) {
	return m.message("propose", object{"isPublic": how.Public, "proposal": p})
}

func (m *tsMember) proposeToJoin(groupInfo []byte) ([]byte, error) {
	return m.message("proposeToJoin", object{"groupInfo": octets(groupInfo)})
}

func (m *tsMember) process(message []byte) ([]byte, error) {
	var r struct{ Application octets }
	err := m.call("process", object{"message": octets(message)}, &r)
	return r.Application, err
}

func (m *tsMember) send(data []byte) ([]byte, error) {
	return m.message("send", object{"data": octets(data), "authenticatedData": octets(m.id)})
}

func (m *tsMember) groupInfo(inlineTree bool) ([]byte, error) {
	return m.message("groupInfo", object{"inlineTree": inlineTree})
}

func (m *tsMember) tree() ([]byte, error) {
	var r struct{ Tree octets }
	err := m.call("tree", nil, &r)
	return r.Tree, err
}

func (m *tsMember) info() (*info, error) {
	i := new(info)
	return i, m.call("info", nil, i)
}
