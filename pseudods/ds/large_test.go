package ds_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
)

// throng is a large group, all of whose members have committed, written into the
// store of a rig. Leaf 0 is played: it knows its signature key and the group
// state key, and no group secrets. The others are made up, which only they could
// notice.
type throng struct {
	*rig
	id    wire.GroupID
	group *publicgroup.Group // as members see it
	key   *mls.SignatureKey
	state secret.Bytes
	pub   []byte
}

func large(c *ds.Config) { c.MaxMembers = 10_240 }

var throngConfig = publicgroup.Config{ExternalJoins: true, MaxMessage: 4 << 20, MaxMembers: 1 << 20}

func (r *rig) throng(n int) *throng {
	suite := must(mls.X25519AES128GCM.Suite())
	t := &throng{rig: r, key: must(suite.GenerateSignatureKey(rand.Reader)), state: secret.New(random(32))}
	_, t.pub, _ = suite.GenerateKeyPair(rand.Reader)
	var id wire.NewGroupID
	r.ok(r.call(r.person("nobody", domain).request(wire.OpRequestGroupID, &wire.Empty{}, wire.Auth{}, secret.Bytes{}), &id))
	t.id = id.Group
	nodes := make(mls.RatchetTree, 2*n-1)
	for i := range nodes {
		if x := mls.NodeIndex(i); !x.IsLeaf() {
			nodes[i].Parent = &mls.ParentNode{EncryptionKey: random(32), ParentHash: random(32)}
			continue
		}
		leaf := &mls.LeafNode{EncryptionKey: random(32), SignatureKey: random(32), Credential: mls.BasicCredential(random(16)),
			Source: mls.LeafNodeSourceCommit, ParentHash: random(32), Signature: random(64), Capabilities: mls.Capabilities{
				Versions: []mls.ProtocolVersion{mls.MLS10}, CipherSuites: []mls.CipherSuite{suite.ID()}, Credentials: []mls.CredentialType{mls.CredentialTypeBasic}}}
		if i == 0 {
			leaf.SignatureKey = t.key.Public()
		}
		nodes[i].Leaf = leaf
	}
	built := must(tree.Build(tree.ImportConfig{Suite: suite, GroupID: t.id[:], Version: 1}, nodes))
	h := &publicgroup.Header{Revision: 1, Tree: built.Header, InterimTranscriptHash: random(32), ConfirmationTag: random(32),
		Context: mls.GroupContext{Version: mls.MLS10, CipherSuite: suite.ID(), GroupID: t.id[:], Epoch: 1, TreeHash: built.Header.Hash, ConfirmedTranscriptHash: random(32)},
		Info:    &publicgroup.Info{Signature: random(64), Extensions: must(mls.Extensions{}.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: t.pub}))}}
	changes := &publicgroup.Changes{Header: h, Tree: built, Release: built.Version}
	t.group = must(publicgroup.Create(publicgroup.NewMemory(), throngConfig, changes))
	r.ok(r.ds.Plant(r.Context(), t.id, t.state, changes, func(l mls.LeafIndex) (*mls.LeafNode, *wire.MemberAddress) {
		c := &client{rig: r}
		c.newAddress(fmt.Sprint("provider", l%2, ".example"), wire.AddressBound)
		return nodes[l.Node()].Leaf, &c.address
	}))
	return t
}

func (t *throng) request(op wire.Operation, body mls.Marshaler, auth wire.AuthType) []byte {
	c := &client{rig: t.rig, mls: &group.Client{Signer: t.key}}
	return c.request(op, body, wire.Auth{Type: auth}, t.state)
}

// message is a request to send application data of 1 KiB.
func (t *throng) message() []byte {
	m := &mls.PrivateMessage{GroupID: t.id[:], Epoch: t.group.Epoch(), ContentType: mls.ContentTypeApplication,
		EncryptedSenderData: random(28), Ciphertext: random(1 << 10)}
	return t.request(wire.OpSendMessage, &wire.GroupMessage{Group: t.id,
		Message: must(mls.Marshal(&mls.Message{WireFormat: mls.WireFormatPrivateMessage, PrivateMessage: m}))}, wire.AuthLeaf)
}

// update is a request by which leaf 0 renews its keys. follow takes the group to
// the epoch that it begins.
func (t *throng) update() (request []byte, follow func()) {
	h := t.group.Header()
	state := must(epoch.NewState(t.group.Tree(), h.Context, h.InterimTranscriptHash))
	leaf := must(state.Leaf(0)).Clone()
	effects := must(state.Apply(mls.Sender{Type: mls.SenderTypeMember}, nil, nil, nil))
	path := must(effects.Edit.CreatePath(rand.Reader, 0, leaf, t.key, t.id[:]))
	effects.SetPath()
	provisional := must(effects.Context())
	signed := &mls.AuthenticatedContent{WireFormat: mls.WireFormatPublicMessage, ConfirmationTag: random(32), Content: mls.FramedContent{
		GroupID: t.id[:], Epoch: h.Context.Epoch, Sender: mls.Sender{Type: mls.SenderTypeMember}, ContentType: mls.ContentTypeCommit,
		Commit: &mls.Commit{Path: must(path.Seal(must(mls.Marshal(provisional))))}}}
	t.ok(signed.Sign(t.key, state.EncodedContext()))
	m := &mls.PublicMessage{Content: signed.Content, Signature: signed.Signature, ConfirmationTag: signed.ConfirmationTag, MembershipTag: random(32)}
	info := &mls.GroupInfo{GroupContext: *must(effects.Confirmed(provisional, signed)), ConfirmationTag: signed.ConfirmationTag,
		Extensions: must(mls.Extensions{}.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: t.pub}))}
	t.ok(info.Sign(t.key))
	bundle := &publicgroup.Bundle{PartialGroupInfo: must(mls.Marshal(must(info.Partial(false)))),
		Commit: must(mls.Marshal(&mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: m}))}
	next := secret.New(random(32))
	request = t.request(wire.OpUpdate, &wire.GroupCommit{Group: t.id, Commit: bundle.Commit, PartialGroupInfo: bundle.PartialGroupInfo, NextKey: next}, wire.AuthLeaf)
	return request, func() {
		staged := must(t.group.StageCommit(bundle, t.rig.cfg.Now()))
		t.group, t.state = must(t.group.Apply(staged.Changes)), next
	}
}

// countedStore counts the records that are read and written.
type countedStore struct {
	ds.Store
	reads, writes int
}

func (s *countedStore) Read(ctx context.Context, g wire.GroupID, lookups []ds.Lookup) (*ds.Snapshot, error) {
	s.reads += len(lookups)
	return s.Store.Read(ctx, g, lookups)
}

func (s *countedStore) Commit(ctx context.Context, g wire.GroupID, b *ds.Batch) error {
	writes, _ := b.Size()
	s.writes += writes
	return s.Store.Commit(ctx, g, b)
}

// TestTenThousandMembers: a group of 10,000, with -short of 1,000, sends and
// commits, on disk, at the cost of what goes to all and of the height of the tree,
// and each member gets all of it.
func TestTenThousandMembers(t *testing.T) {
	n, pages, height := 10_000, 157, 14
	if testing.Short() {
		n, pages, height = 1000, 16, 10
	}
	db := must(badger.Open(badger.Config{Dir: filepath.Join(t.TempDir(), "db"), Format: groups.Format, MinFree: 1}))
	defer db.Close()
	store := &countedStore{Store: groups.New(db)}
	r := newRig(t, large)
	r.cfg.Store = store
	r.restart()
	g := r.throng(n)
	handle := func(what string, request []byte, reads, writes int) {
		store.reads, store.writes = 0, 0
		r.ok(r.call(request, new(wire.Accepted)))
		if store.reads > reads || store.writes > writes {
			t.Errorf("%s reads %d records and writes %d", what, store.reads, store.writes)
		}
	}
	parts := n/1000 + 4 // of the message to all, in two lanes
	handle("a message", g.message(), pages+8, parts+2)
	r.deliver()
	request, follow := g.update()
	handle("a commit", request, pages+12*height, parts+5*height)
	follow()
	handle("the next message", g.message(), pages+8, parts+2)
	r.deliver()
	served := 0
	for _, b := range r.mail.boxes {
		if len(b.items) == 3 {
			served++
		}
	}
	if served != n {
		t.Errorf("%d members got all three messages", served)
	}
	var info wire.ExternalCommitInfo
	r.ok(r.call(g.request(wire.OpExternalCommitInfo, &wire.GroupQuery{Group: g.id}, wire.AuthNone), &info))
	var nodes mls.RatchetTree
	r.ok(mls.Unmarshal(info.Tree, &nodes))
	if len(nodes) != 2*n-1 {
		t.Errorf("the tree has %d nodes", len(nodes))
	}
}

// BenchmarkThrong: the service's time for a message of 1 KiB and for a commit
// that renews the committer's keys, in groups in which all have committed, on
// disk.
func BenchmarkThrong(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		db := must(badger.Open(badger.Config{Dir: filepath.Join(b.TempDir(), "db"), Format: groups.Format, MinFree: 1}))
		defer db.Close()
		r := newRig(b, large)
		r.cfg.Store = groups.New(db)
		r.restart()
		g := r.throng(n)
		step := func(make func() ([]byte, func())) func(b *testing.B) {
			return func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					request, follow := make()
					b.StartTimer()
					r.ok(r.call(request, new(wire.Accepted)))
					b.StopTimer()
					follow()
					for _, ref := range must(r.cfg.Store.Waiting(b.Context(), ds.Ref{}, 10)) {
						must(r.cfg.Store.Done(b.Context(), ref.Group, ref.Lane, 1<<62))
					}
					b.StartTimer()
				}
			}
		}
		b.Run(fmt.Sprint("send/members=", n), step(func() ([]byte, func()) { return g.message(), func() {} }))
		b.Run(fmt.Sprint("commit/members=", n), step(g.update))
	}
}
