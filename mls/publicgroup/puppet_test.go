package publicgroup_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

// now is the time of all tests: nothing here reads a clock.
var now = time.Unix(1_800_000_000, 0)

// scene is a group at a server and all its members, who know their signature
// keys and no group secrets: whatever a server can not check is made up. That
// suffices to make any handshake that it must accept, and, by the hooks of
// [commit] and [scene.proposal], any that it must refuse.
type scene struct {
	testing.TB
	suite *mls.Suite
	rand  io.Reader
	cfg   publicgroup.Config
	store *countingStore
	group *publicgroup.Group
	keys  map[mls.LeafIndex]*mls.SignatureKey
	pub   []byte // external_pub, the same in all epochs

	sender *mls.SignatureKey // the external sender
}

// client is somebody who is not a member yet.
type client struct {
	key        *mls.SignatureKey
	keyPackage *mls.KeyPackage
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func mustDo(err error) {
	if err != nil {
		panic(err)
	}
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// newScene registers a group of one member.
func newScene(t testing.TB, id mls.CipherSuite, cfg publicgroup.Config) *scene {
	s := &scene{TB: t, suite: must(id.Suite()), cfg: cfg, keys: map[mls.LeafIndex]*mls.SignatureKey{},
		rand: rand.NewChaCha8([32]byte{byte(id)})}
	s.sender = must(s.suite.GenerateSignatureKey(s.rand))
	_, s.pub, _ = s.suite.GenerateKeyPair(s.rand)
	creator := s.client()
	s.keys[0] = creator.key
	e := tree.Empty(s.suite, tree.NewMemory(), 0).Edit()
	must(e.AddLeaf(&creator.keyPackage.LeafNode))
	extensions := must(mls.Extensions{}.With(mls.ExtensionTypeExternalSenders,
		&mls.ExternalSenders{{SignatureKey: s.sender.Public(), Credential: mls.BasicCredential([]byte("service"))}}))
	gi := &mls.GroupInfo{GroupContext: mls.GroupContext{Version: mls.MLS10, CipherSuite: id, GroupID: []byte("group"),
		TreeHash: must(e.Hash()), Extensions: extensions}, ConfirmationTag: s.bytes()}
	gi.Extensions = must(gi.Extensions.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: s.pub}))
	s.ok(gi.Sign(creator.key))
	c, err := publicgroup.Register(cfg, groupInfoMessage(gi), must(e.Export()))
	s.ok(err)
	s.store = &countingStore{Store: publicgroup.NewMemory()}
	s.group, err = publicgroup.Create(s.store, cfg, c)
	s.ok(err)
	return s
}

// bytes returns as many octets as a hash has.
func (s *scene) bytes() []byte {
	b := make([]byte, s.suite.HashSize())
	must(io.ReadFull(s.rand, b))
	return b
}

// client makes somebody with a valid KeyPackage.
func (s *scene) client() *client {
	key := must(s.suite.GenerateSignatureKey(s.rand))
	_, initKey, err := s.suite.GenerateKeyPair(s.rand)
	s.ok(err)
	kp := &mls.KeyPackage{Version: mls.MLS10, CipherSuite: s.suite.ID(), InitKey: initKey, LeafNode: *s.leaf(key)}
	c := &client{key, kp}
	c.sign()
	return c
}

// leaf makes an unsigned leaf from a KeyPackage.
func (s *scene) leaf(key *mls.SignatureKey) *mls.LeafNode {
	_, encryption, err := s.suite.GenerateKeyPair(s.rand)
	s.ok(err)
	return &mls.LeafNode{
		EncryptionKey: encryption, SignatureKey: key.Public(),
		Credential: mls.BasicCredential(key.Public()[:16]),
		Capabilities: mls.Capabilities{Versions: []mls.ProtocolVersion{mls.MLS10}, CipherSuites: []mls.CipherSuite{s.suite.ID()},
			Proposals:   []mls.ProposalType{mls.ProposalTypeSelfRemove, mls.ProposalTypeAppDataUpdate},
			Extensions:  []mls.ExtensionType{mls.ExtensionTypeAppDataDictionary},
			Credentials: []mls.CredentialType{mls.CredentialTypeBasic}},
		Source:   mls.LeafNodeSourceKeyPackage,
		Lifetime: mls.Lifetime{NotBefore: uint64(now.Unix()) - 3600, NotAfter: uint64(now.Unix()) + 3600},
	}
}

// sign signs the leaf and the KeyPackage as they are.
func (c *client) sign() *client {
	mustDo(c.keyPackage.LeafNode.Sign(c.key, nil, 0))
	mustDo(c.keyPackage.Sign(c.key))
	return c
}

func (c *client) add() *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypeAdd, Add: c.keyPackage}
}

func remove(l mls.LeafIndex) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypeRemove, Remove: l}
}

func (s *scene) psk(id string) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypePSK, PSK: &mls.PreSharedKeyID{Type: mls.PSKTypeExternal, ID: []byte(id), Nonce: s.bytes()}}
}

func member(l mls.LeafIndex) mls.Sender { return mls.Sender{Type: mls.SenderTypeMember, Leaf: l} }

var joins = mls.Sender{Type: mls.SenderTypeNewMemberCommit}

// update makes a member's Update. hook may change the leaf before it is signed.
func (s *scene) update(l mls.LeafIndex, hook func(*mls.LeafNode)) *mls.Proposal {
	old := must(s.group.Leaf(l))
	leaf := s.leaf(s.keys[l])
	leaf.Credential, leaf.Capabilities = old.Credential, old.Capabilities
	leaf.Source, leaf.Lifetime = mls.LeafNodeSourceUpdate, mls.Lifetime{}
	if hook != nil {
		hook(leaf)
	}
	s.ok(leaf.Sign(s.keys[l], s.group.Context().GroupID, l))
	return &mls.Proposal{Type: mls.ProposalTypeUpdate, Update: leaf}
}

// message encodes signed content as a PublicMessage.
func (s *scene) message(a *mls.AuthenticatedContent, hook func(*mls.PublicMessage)) []byte {
	m := &mls.PublicMessage{Content: a.Content, Signature: a.Signature, ConfirmationTag: a.ConfirmationTag}
	if a.Content.Sender.Type == mls.SenderTypeMember {
		m.MembershipTag = s.bytes()
	}
	if hook != nil {
		hook(m)
	}
	return must(mls.Marshal(&mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: m}))
}

// content frames a proposal or commit of the current epoch.
func (s *scene) content(from mls.Sender, p *mls.Proposal, c *mls.Commit) *mls.AuthenticatedContent {
	a := &mls.AuthenticatedContent{WireFormat: mls.WireFormatPublicMessage, Content: mls.FramedContent{
		GroupID: s.group.Context().GroupID, Epoch: s.group.Epoch(), Sender: from,
		ContentType: mls.ContentTypeProposal, Proposal: p, Commit: c}}
	if c != nil {
		a.Content.ContentType, a.ConfirmationTag = mls.ContentTypeCommit, s.bytes()
	}
	return a
}

func (s *scene) context() []byte { return must(mls.Marshal(s.group.Context())) }

// signerOf returns the key of whoever sends as from.
func (s *scene) signerOf(from mls.Sender) *mls.SignatureKey {
	if from.Type == mls.SenderTypeExternal {
		return s.sender
	}
	return s.keys[from.Leaf]
}

// proposal makes a standalone proposal. hook may change what is signed.
func (s *scene) proposal(from mls.Sender, p *mls.Proposal, hook func(*mls.AuthenticatedContent)) []byte {
	a := s.content(from, p, nil)
	if hook != nil {
		hook(a)
	}
	s.ok(a.Sign(s.signerOf(from), s.context()))
	return s.message(a, nil)
}

// propose makes a proposal and has it pending.
func (s *scene) propose(from mls.Sender, p *mls.Proposal) mls.ProposalRef {
	s.Helper()
	staged, err := s.group.StageProposal(s.proposal(from, p, nil), now)
	s.ok(err)
	s.apply(staged.Changes)
	return staged.Proposal.Ref
}

func (s *scene) apply(c *publicgroup.Changes) {
	s.Helper()
	g, err := s.group.Apply(c)
	s.ok(err)
	s.group = g
}

// commit describes a commit. Its hooks run in the order in which they stand;
// whatever comes after one is made for what it left.
type commit struct {
	from    mls.LeafIndex
	joiner  *client // of an external commit
	refs    []mls.ProposalRef
	values  []*mls.Proposal
	noPath  bool
	partial bool
	tree    *bool // whether the GroupInfo has the tree inside; nil: as before
	doomed  bool  // the new epoch is invalid as a whole; its GroupInfo is made up

	template  func(*mls.LeafNode)             // the path's leaf before its signature
	commit    func(*mls.Commit)               // before the message's signature
	content   func(*mls.AuthenticatedContent) // likewise
	message   func(*mls.PublicMessage)        // signed
	groupInfo func(*mls.GroupInfo)            // before its signature
	signed    func(*mls.GroupInfo)            // signed
	welcome   func(*mls.Welcome)
}

// build makes a bundle. Proposals that can not be valid belong in the commit
// hook: what is in values and refs is applied, to make path and GroupInfo.
func (s *scene) build(c commit) *publicgroup.Bundle {
	s.Helper()
	h := s.group.Header()
	st, err := epoch.NewState(tree.New(s.suite, s.store.Store, tree.Version(h.Context.Epoch), h.Tree), h.Context, h.InterimTranscriptHash)
	s.ok(err)
	from, key := member(c.from), s.keys[c.from]
	var template *mls.LeafNode
	if c.joiner != nil {
		from, key = joins, c.joiner.key
		template = c.joiner.keyPackage.LeafNode.Clone()
	} else {
		template = must(st.Leaf(c.from)).Clone()
	}
	if c.template != nil {
		c.template(template)
	}
	body := new(mls.Commit)
	var list []*epoch.Proposal
	for _, ref := range c.refs {
		body.Proposals = append(body.Proposals, mls.ProposalOrRef{Ref: ref})
		list = append(list, s.pending(ref))
	}
	for _, p := range c.values {
		body.Proposals = append(body.Proposals, mls.ProposalOrRef{Proposal: p})
		list = append(list, &epoch.Proposal{Proposal: p, Sender: from})
	}
	effects, err := st.Apply(from, template, list, s.cfg.Rules)
	s.ok(err)
	var path *tree.OwnPath
	if !c.noPath {
		path, err = effects.Edit.CreatePath(s.rand, effects.Committer, template, key, h.Context.GroupID)
		s.ok(err)
		effects.SetPath()
	}
	provisional, err := effects.Context()
	if c.doomed && err != nil {
		provisional, err = s.group.Context(), nil
	}
	s.ok(err)
	if path != nil {
		body.Path, err = path.Seal(must(mls.Marshal(provisional)))
		s.ok(err)
	}
	if c.commit != nil {
		c.commit(body)
	}
	a := s.content(from, nil, body)
	if c.content != nil {
		c.content(a)
	}
	s.ok(a.Sign(key, s.context()))
	b := &publicgroup.Bundle{Commit: s.message(a, c.message)}

	ctx, err := effects.Confirmed(provisional, a)
	s.ok(err)
	gi := &mls.GroupInfo{GroupContext: *ctx, ConfirmationTag: a.ConfirmationTag, Signer: effects.Committer}
	gi.Extensions = must(gi.Extensions.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: s.pub}))
	was := h.Info != nil && h.Info.TreeAt > 0
	if (c.tree == nil && was) || (c.tree != nil && *c.tree) {
		nodes := must(effects.Edit.Export())
		gi.Extensions = must(gi.Extensions.With(mls.ExtensionTypeRatchetTree, &nodes))
	}
	if c.groupInfo != nil {
		c.groupInfo(gi)
	}
	s.ok(gi.Sign(key))
	if c.signed != nil {
		c.signed(gi)
	}
	if c.partial {
		b.PartialGroupInfo = must(mls.Marshal(must(gi.Partial(was))))
	} else {
		b.GroupInfo = groupInfoMessage(gi)
	}
	if len(effects.Added) > 0 {
		w := &mls.Welcome{CipherSuite: s.suite.ID(), EncryptedGroupInfo: s.bytes()}
		for _, kp := range effects.KeyPackages {
			w.Secrets = append(w.Secrets, s.secretsFor(kp))
		}
		if c.welcome != nil {
			c.welcome(w)
		}
		b.Welcome = must(mls.Marshal(&mls.Message{WireFormat: mls.WireFormatWelcome, Welcome: w}))
	}
	return b
}

// secretsFor makes up a newcomer's part of a Welcome.
func (s *scene) secretsFor(kp *mls.KeyPackage) mls.EncryptedGroupSecrets {
	return mls.EncryptedGroupSecrets{NewMember: must(kp.Ref(s.suite)),
		EncryptedGroupSecrets: mls.HPKECiphertext{KEMOutput: s.bytes(), Ciphertext: s.bytes()}}
}

// pending reads a proposal back from the store.
func (s *scene) pending(ref mls.ProposalRef) *epoch.Proposal {
	var m mls.Message
	s.ok(mls.Unmarshal(must(s.store.Store.Proposal(ref)).Message, &m))
	c := &m.PublicMessage.Content
	return &epoch.Proposal{Proposal: c.Proposal, Sender: c.Sender, Ref: ref, Checked: true}
}

func groupInfoMessage(gi *mls.GroupInfo) []byte {
	return must(mls.Marshal(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: gi}))
}

// commit makes a commit and applies it. Keys of newcomers that it adds by value
// or lets join are remembered.
func (s *scene) commit(c commit, newcomers ...*client) *publicgroup.StagedCommit {
	s.Helper()
	for _, n := range newcomers {
		c.values = append(c.values, n.add())
	}
	staged, err := s.group.StageCommit(s.build(c), now)
	s.ok(err)
	s.apply(staged.Changes)
	for _, r := range staged.Effects.Removed {
		delete(s.keys, r.Leaf)
	}
	for i, n := range newcomers {
		s.keys[staged.Effects.Added[i].Leaf] = n.key
	}
	if c.joiner != nil {
		s.keys[staged.Effects.Committer] = c.joiner.key
	}
	return staged
}

// fill adds members, with a path, until there are n.
func (s *scene) fill(n int) {
	s.Helper()
	var newcomers []*client
	for i := len(s.keys); i < n; i++ {
		newcomers = append(newcomers, s.client())
	}
	s.commit(commit{}, newcomers...)
}

// externalInit is the proposal that every external commit has.
func (s *scene) externalInit() *mls.Proposal {
	kemOutput, _, err := s.suite.ExternalInit(s.pub)
	s.ok(err)
	return &mls.Proposal{Type: mls.ProposalTypeExternalInit, ExternalInit: kemOutput}
}

// join makes a valid external commit.
func (s *scene) join(c *client, more ...*mls.Proposal) commit {
	return commit{joiner: c, values: append([]*mls.Proposal{s.externalInit()}, more...)}
}

func (s *scene) String() string { return fmt.Sprintf("suite %v", s.suite.ID()) }
