package interop

import (
	"crypto/rand"
	"fmt"
	"math"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
)

// goMember is a member of package mls/group.
type goMember struct {
	id     string
	suite  *mls.Suite
	client *group.Client
	store  *group.MemoryStore
	cfg    group.Config
	group  *group.Group
	joined *group.Group // by an external commit that waits for merge
}

var _ member = (*goMember)(nil)

func newGo(name string, id mls.CipherSuite) (*goMember, error) {
	s, err := id.Suite()
	if err != nil {
		return nil, err
	}
	signer, err := s.GenerateSignatureKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	capabilities := group.DefaultCapabilities()
	capabilities.Proposals = append(capabilities.Proposals, unknownType)
	capabilities, err = group.WithGREASE(capabilities, rand.Reader)
	if err != nil {
		return nil, err
	}
	m := &goMember{id: name, suite: s, store: group.NewMemoryStore()}
	m.client = &group.Client{
		Suite: id, Credential: mls.BasicCredential([]byte(name)), Signer: signer, Capabilities: capabilities,
		Lifetime: mls.Lifetime{NotAfter: math.MaxUint64},
	}
	m.cfg = group.Config{KeyPackages: m.store, PSKs: m.store, PastEpochs: 3, ResumptionEpochs: 3, PadTo: 64}
	return m, nil
}

func (m *goMember) name() string { return m.id }
func (m *goMember) kind() kind   { return ours }

func (m *goMember) keyPackage() ([]byte, error) {
	p, err := group.NewKeyPackage(m.cfg, m.client, group.KeyPackageOptions{})
	if err != nil {
		return nil, err
	}
	return mls.Marshal(&mls.Message{WireFormat: mls.WireFormatKeyPackage, KeyPackage: p})
}

func (m *goMember) putPSK(id, key []byte) error {
	m.store.PutExternalPSK(id, secret.Clone(key))
	return nil
}

func (m *goMember) create(groupID []byte, es []extension) (err error) {
	m.group, err = group.Create(m.cfg, m.client, groupID, extensions(es))
	return err
}

// outside decodes what a newcomer gets.
func outside(message, nodes []byte) (*mls.Message, mls.RatchetTree, error) {
	msg, err := decode(message)
	if err != nil || nodes == nil {
		return msg, nil, err
	}
	var tree mls.RatchetTree
	return msg, tree, mls.Unmarshal(nodes, &tree)
}

func (m *goMember) joinWelcome(welcome, nodes []byte, continues bool) error {
	msg, tree, err := outside(welcome, nodes)
	if err != nil {
		return err
	}
	o := group.JoinOptions{Tree: tree}
	if continues {
		o.Before = m.group
	}
	m.group, err = group.JoinWelcome(m.cfg, msg.Welcome, o)
	return err
}

func (m *goMember) joinExternal(groupInfo, nodes []byte, rejoin bool) (*bundle, error) {
	msg, tree, err := outside(groupInfo, nodes)
	if err != nil {
		return nil, err
	}
	o := group.ExternalOptions{Tree: tree, GroupInfo: group.GroupInfoOptions{ExternalPub: true, Tree: tree == nil}}
	if rejoin {
		leaf, err := m.group.OwnLeaf()
		if err != nil {
			return nil, err
		}
		o.Remove = &leaf
	}
	joined, c, err := group.JoinExternal(m.cfg, m.client, msg.GroupInfo, o)
	if err != nil {
		return nil, err
	}
	m.joined = joined
	return encodeCommit(c)
}

func (m *goMember) commit(how framing, proposals ...proposal) (*bundle, error) {
	o := commitOptions(how)
	for _, p := range proposals {
		converted, err := m.proposal(p)
		if err != nil {
			return nil, err
		}
		o.Proposals = append(o.Proposals, converted)
	}
	c, err := m.group.Commit(o)
	if err != nil {
		return nil, err
	}
	return encodeCommit(c)
}

func commitOptions(how framing) group.CommitOptions {
	return group.CommitOptions{
		WireFormat: how.wire(), AuthenticatedData: []byte("commit"),
		Welcome:   group.GroupInfoOptions{Tree: how.InlineTree},
		GroupInfo: group.GroupInfoOptions{ExternalPub: true, Tree: how.InlineTree},
	}
}

func (f framing) wire() mls.WireFormat {
	if f.Public {
		return mls.WireFormatPublicMessage
	}
	return mls.WireFormatPrivateMessage
}

// encodeCommit leaves the full GroupInfo out: the delivery service shall rebuild
// it from the partial one.
func encodeCommit(c *group.Commit) (*bundle, error) {
	out := new(bundle)
	var err error
	if out.Commit, err = mls.Marshal(c.Message); err != nil {
		return nil, err
	}
	if c.Welcome != nil {
		if out.Welcome, err = mls.Marshal(c.Welcome); err != nil {
			return nil, err
		}
	}
	out.Partial, err = mls.Marshal(c.Partial)
	return out, err
}

func (m *goMember) merge() error {
	if m.joined != nil {
		m.group, m.joined = m.joined, nil
		return nil
	}
	_, err := m.group.Merge()
	return err
}

func (m *goMember) successor(how framing, branch bool, groupID []byte, keyPackages [][]byte) (*bundle, error) {
	list := make([]*mls.KeyPackage, len(keyPackages))
	for i, k := range keyPackages {
		msg, err := decode(k)
		if err != nil {
			return nil, err
		}
		list[i] = msg.KeyPackage
	}
	var c *group.Commit
	var err error
	if branch {
		m.group, c, err = m.group.Branch(m.cfg, m.client, groupID, m.group.Context().Extensions, list, commitOptions(how))
	} else {
		m.group, c, err = m.group.Successor(m.cfg, m.client, list, commitOptions(how))
	}
	if err != nil {
		return nil, err
	}
	if _, err := m.group.Merge(); err != nil {
		return nil, err
	}
	return encodeCommit(c)
}

// proposal makes one by value.
func (m *goMember) proposal(p proposal) (*mls.Proposal, error) {
	switch p.Type {
	case "add":
		msg, err := decode(p.KeyPackage)
		if err != nil {
			return nil, err
		}
		return group.Add(msg.KeyPackage), nil
	case "remove":
		return group.Remove(mls.LeafIndex(p.Leaf)), nil
	case "psk":
		return m.group.ExternalPSK(p.ID)
	case "resumption":
		return m.group.Resumption(m.group.GroupID(), p.Epoch)
	case "extensions":
		return group.GroupContextExtensions(extensions(p.Extensions)), nil
	case "reinit":
		return group.ReInit(mls.ReInit{GroupID: p.GroupID, Version: mls.MLS10, CipherSuite: m.suite.ID()}), nil
	case "custom":
		return &mls.Proposal{Type: mls.ProposalType(p.Number), Opaque: p.Data}, nil
	}
	return nil, fmt.Errorf("no proposal type %s", p.Type)
}

func (m *goMember) propose(how framing, p proposal) ([]byte, error) {
	o := group.MessageOptions{WireFormat: how.wire()}
	if p.Type == "update" {
		return encoded(m.group.ProposeUpdate(nil, o))
	}
	converted, err := m.proposal(p)
	if err != nil {
		return nil, err
	}
	return encoded(m.group.Propose(converted, o))
}

func (m *goMember) proposeToJoin(groupInfo []byte) ([]byte, error) {
	msg, err := decode(groupInfo)
	if err != nil {
		return nil, err
	}
	p, err := group.NewKeyPackage(m.cfg, m.client, group.KeyPackageOptions{})
	if err != nil {
		return nil, err
	}
	ctx := msg.GroupInfo.GroupContext
	return encoded(group.ProposeJoin(m.suite, ctx.GroupID, ctx.Epoch, m.client.Signer, p))
}

func encoded(m *mls.Message, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return mls.Marshal(m)
}

// process also saves and restores the group, so that every scenario runs
// through saved states.
func (m *goMember) process(message []byte) ([]byte, error) {
	msg, err := decode(message)
	if err != nil {
		return nil, err
	}
	r, err := m.group.Process(msg)
	if err != nil {
		return nil, err
	}
	state, err := m.group.Marshal()
	if err != nil {
		return nil, err
	}
	m.group, err = group.Restore(m.cfg, state.Reveal())
	return r.Application, err
}

func (m *goMember) send(data []byte) ([]byte, error) {
	return encoded(m.group.Send(data, group.MessageOptions{AuthenticatedData: []byte(m.id)}))
}

func (m *goMember) groupInfo(inlineTree bool) ([]byte, error) {
	gi, err := m.group.GroupInfo(group.GroupInfoOptions{ExternalPub: true, Tree: inlineTree})
	if err != nil {
		return nil, err
	}
	return mls.Marshal(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: gi})
}

func (m *goMember) tree() ([]byte, error) {
	nodes, err := m.group.Tree()
	if err != nil {
		return nil, err
	}
	return mls.Marshal(&nodes)
}

func (m *goMember) info() (*info, error) {
	ctx := m.group.Context()
	i := &info{
		Epoch: ctx.Epoch, Ended: m.group.Ended() != group.EndNone, Members: m.group.Members(),
		TreeHash: ctx.TreeHash, Confirmed: ctx.ConfirmedTranscriptHash, Interim: m.group.InterimTranscriptHash(),
	}
	if m.group.Ended() == group.EndRemoved {
		return i, nil
	}
	leaf, err := m.group.OwnLeaf()
	if err != nil {
		return nil, err
	}
	authenticator, err := m.group.EpochAuthenticator()
	if err != nil {
		return nil, err
	}
	exported, err := m.group.Export("interop", []byte("context"), 32)
	i.Leaf, i.Authenticator, i.Exported = uint32(leaf), authenticator.Reveal(), exported.Reveal()
	return i, err
}
