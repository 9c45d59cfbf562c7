package group_test

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/mls/tree"
)

func psk(c *court, id string) *mls.Proposal {
	p, err := c.alice.ExternalPSK([]byte(id))
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func TestProposalListIsChecked(t *testing.T) {
	newcomer := newPerson(t, suite, "newcomer")
	other := newPerson(t, mls.P256AES128GCM, "other suite")
	list := func(f func(*court) []*mls.Proposal) func(*court) *mls.Message {
		return func(c *court) *mls.Message { return c.committing(f(c)...) }
	}
	just := func(ps ...*mls.Proposal) func(*court) *mls.Message {
		return func(c *court) *mls.Message { return c.committing(ps...) }
	}
	badKeyPackage := func(change func(*mls.KeyPackage)) *mls.Proposal {
		k := *newcomer.keyPackage()
		change(&k)
		return group.Add(&k)
	}
	newCourt(t).refuses(t, []refusal{
		{"unknown reference", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) {
				a.Content.Commit.Proposals = []mls.ProposalOrRef{{Ref: make(mls.ProposalRef, 32)}}
			})
		}, group.ErrUnknownProposal},
		{"own Update", list(func(c *court) []*mls.Proposal {
			l := leafOf(c).Clone()
			l.Source, l.ParentHash = mls.LeafNodeSourceUpdate, nil
			l.EncryptionKey = newcomer.keyPackage().LeafNode.EncryptionKey
			if err := l.Sign(c.alice.client.Signer, c.alice.GroupID(), 0); err != nil {
				c.t.Fatal(err)
			}
			return []*mls.Proposal{{Type: mls.ProposalTypeUpdate, Update: l}}
		}), epoch.ErrCommitterUpdate},
		{"own removal", just(group.Remove(0)), epoch.ErrCommitterRemoved},
		{"removal of nobody", just(group.Remove(4)), epoch.ErrRemoveBlank},
		{"removal outside the tree", just(group.Remove(1 << 30)), epoch.ErrRemoveBlank},
		{"two removals of one", just(group.Remove(2), group.Remove(2)), epoch.ErrSameLeaf},
		{"SelfRemove by value", just(group.SelfRemove()), epoch.ErrSelfRemoveByValue},
		{"one client twice", list(func(c *court) []*mls.Proposal {
			return []*mls.Proposal{group.Add(newcomer.keyPackage()), group.Add(newcomer.keyPackage())}
		}), epoch.ErrSameClient},
		{"KeyPackage of another suite", just(group.Add(other.keyPackage())), mls.ErrKeyPackage},
		{"KeyPackage signature", just(badKeyPackage(func(k *mls.KeyPackage) { k.Signature = flip(k.Signature) })), mls.ErrSignature},
		{"KeyPackage leaf signature", just(badKeyPackage(func(k *mls.KeyPackage) { k.LeafNode.Signature = flip(k.LeafNode.Signature) })), mls.ErrSignature},
		{"KeyPackage with one key", just(badKeyPackage(func(k *mls.KeyPackage) { k.InitKey = k.LeafNode.EncryptionKey })), mls.ErrKeyPackage},
		{"malformed init key", just(badKeyPackage(func(k *mls.KeyPackage) { k.InitKey = []byte{1} })), mls.ErrPublicKey},
		{"unknown psk", list(func(c *court) []*mls.Proposal { return []*mls.Proposal{psk(c, "?")} }), group.ErrPSK},
		{"psk twice", list(func(c *court) []*mls.Proposal {
			p := psk(c, "k")
			return []*mls.Proposal{p, p}
		}), epoch.ErrSamePSK},
		{"psk nonce", list(func(c *court) []*mls.Proposal {
			p := psk(c, "k")
			p.PSK.Nonce = p.PSK.Nonce[1:]
			return []*mls.Proposal{p}
		}), epoch.ErrPSKNonce},
		{"two extension lists", just(group.GroupContextExtensions(nil), group.GroupContextExtensions(nil)), epoch.ErrTwoGroupExtensions},
		{"extension that nobody supports", just(group.GroupContextExtensions(mls.Extensions{{Type: 0xf0f0}})), epoch.ErrUnsupportedExtension},
		{"extension twice", just(group.GroupContextExtensions(mls.Extensions{{Type: 0x0a0b}, {Type: 0x0a0b}})), epoch.ErrGroupExtension},
		{"required proposal that nobody supports", just(group.GroupContextExtensions(requiring(t, mls.RequiredCapabilities{
			Proposals: []mls.ProposalType{0xf0f0}}))), epoch.ErrRequiredProposal},
		{"ReInit beside others", just(group.ReInit(mls.ReInit{Version: mls.MLS10, CipherSuite: suite}), group.Remove(2)), epoch.ErrReInitNotAlone},
		{"ReInit to an older version", just(group.ReInit(mls.ReInit{CipherSuite: suite})), epoch.ErrReInitVersion},
		{"ExternalInit", just(&mls.Proposal{Type: mls.ProposalTypeExternalInit, ExternalInit: make([]byte, 32)}), epoch.ErrExternalInit},
		{"type that nobody supports", just(&mls.Proposal{Type: 0xf0f0}), epoch.ErrUnsupportedProposal},
		{"unknown removal of application data", just(group.AppDataUpdate(mls.AppDataUpdate{ID: 9, Operation: mls.AppDataUpdateRemove})), epoch.ErrAppData},
		{"proposal of a blank leaf's removal", func(c *court) *mls.Message { return c.proposing(group.Remove(4)) }, epoch.ErrRemoveBlank},
		{"proposal with a bad psk nonce", func(c *court) *mls.Message {
			p := psk(c, "k")
			p.PSK.Nonce = nil
			return c.proposing(p)
		}, epoch.ErrPSKNonce},
		{"Update with the old key", func(c *court) *mls.Message {
			return c.proposing(&mls.Proposal{Type: mls.ProposalTypeUpdate, Update: leafOf(c)})
		}, epoch.ErrUpdateKey},
	})
}

// path changes the path of alice's commit, signing its leaf again.
func path(change func(*court, *mls.UpdatePath)) func(*court) *mls.Message {
	return func(c *court) *mls.Message {
		return c.forge(func(a *mls.AuthenticatedContent) {
			p := a.Content.Commit.Path
			change(c, p)
			if err := p.LeafNode.Sign(c.alice.client.Signer, c.alice.GroupID(), 0); err != nil {
				c.t.Fatal(err)
			}
		})
	}
}

// sealFor encrypts something to bob in the place of his path secret.
func sealFor(c *court, p *mls.UpdatePath, plain []byte) {
	ctx := c.commit.GroupInfo.GroupContext
	ctx.ConfirmedTranscriptHash = c.alice.Context().ConfirmedTranscriptHash
	encoded, err := mls.Marshal(&ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	leaf, err := c.alice.Member(c.bob.leaf())
	if err != nil {
		c.t.Fatal(err)
	}
	ct, err := c.suite.EncryptWithLabel(leaf.EncryptionKey, "UpdatePathNode", encoded, plain)
	if err != nil {
		c.t.Fatal(err)
	}
	p.Nodes[0].EncryptedPathSecret[0] = ct
}

func TestPathIsChecked(t *testing.T) {
	newCourt(t).refuses(t, []refusal{
		{"missing", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) { a.Content.Commit.Path = nil })
		}, epoch.ErrPathRequired},
		{"missing for a removal", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) {
				a.Content.Commit = &mls.Commit{Proposals: []mls.ProposalOrRef{{Proposal: group.Remove(2)}}}
			})
		}, epoch.ErrPathRequired},
		{"too short", path(func(c *court, p *mls.UpdatePath) { p.Nodes = p.Nodes[:1] }), tree.ErrPathLength},
		{"too long", path(func(c *court, p *mls.UpdatePath) { p.Nodes = append(p.Nodes, p.Nodes[0]) }), tree.ErrPathLength},
		{"ciphertext missing", path(func(c *court, p *mls.UpdatePath) { p.Nodes[0].EncryptedPathSecret = nil }), tree.ErrPathCiphertexts},
		{"ciphertext too many", path(func(c *court, p *mls.UpdatePath) {
			p.Nodes[0].EncryptedPathSecret = append(p.Nodes[0].EncryptedPathSecret, p.Nodes[0].EncryptedPathSecret[0])
		}), tree.ErrPathCiphertexts},
		{"malformed key", path(func(c *court, p *mls.UpdatePath) { p.Nodes[1].EncryptionKey = []byte{1} }), mls.ErrPublicKey},
		{"one key twice", path(func(c *court, p *mls.UpdatePath) { p.Nodes[1].EncryptionKey = p.Nodes[0].EncryptionKey }), tree.ErrDuplicateKey},
		{"key of another member", path(func(c *court, p *mls.UpdatePath) {
			l, _ := c.alice.Member(2)
			p.Nodes[1].EncryptionKey = l.EncryptionKey
		}), tree.ErrDuplicateKey},
		{"old leaf key", path(func(c *court, p *mls.UpdatePath) { p.LeafNode.EncryptionKey = leafOf(c).EncryptionKey }), tree.ErrKeyReused},
		{"leaf source", path(func(c *court, p *mls.UpdatePath) { p.LeafNode.Source = mls.LeafNodeSourceUpdate }), mls.ErrLeafNode},
		{"leaf without its credential type", path(func(c *court, p *mls.UpdatePath) { p.LeafNode.Capabilities.Credentials = nil }), mls.ErrLeafNode},
		{"parent hash", path(func(c *court, p *mls.UpdatePath) { p.LeafNode.ParentHash = flip(p.LeafNode.ParentHash) }), tree.ErrParentHash},
		{"node key", path(func(c *court, p *mls.UpdatePath) {
			p.Nodes[1].EncryptionKey = newPerson(c.t, suite, "x").keyPackage().InitKey
		}), tree.ErrParentHash},
		{"leaf signature", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) {
				a.Content.Commit.Path.LeafNode.Signature = flip(a.Content.Commit.Path.LeafNode.Signature)
			})
		}, mls.ErrSignature},
		{"signature key of another member", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) {
				l := &a.Content.Commit.Path.LeafNode
				l.SignatureKey = c.dave.client.Signer.Public()
				if err := l.Sign(c.dave.client.Signer, c.alice.GroupID(), 0); err != nil {
					c.t.Fatal(err)
				}
			})
		}, epoch.ErrDuplicate},
		{"ciphertext", path(func(c *court, p *mls.UpdatePath) {
			p.Nodes[0].EncryptedPathSecret[0].Ciphertext = flip(p.Nodes[0].EncryptedPathSecret[0].Ciphertext)
		}), mls.ErrDecrypt},
		{"another's path secret", path(func(c *court, p *mls.UpdatePath) { sealFor(c, p, bytes.Repeat([]byte{7}, 32)) }), tree.ErrPathSecret},
		{"path secret of a wrong size", path(func(c *court, p *mls.UpdatePath) { sealFor(c, p, make([]byte, 31)) }), epoch.ErrPathSecret},
	})
}

func TestExternalCommitIsChecked(t *testing.T) {
	c := newCourt(t)
	eve := newPerson(t, suite, "eve")
	g, made, err := group.JoinExternal(eve.cfg, eve.client, c.alice.groupInfo(open), group.ExternalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eve.Group = g
	base := c.bob.Context()
	encoded, err := mls.Marshal(&base)
	if err != nil {
		t.Fatal(err)
	}
	forge := func(change func(*mls.AuthenticatedContent)) *mls.Message {
		a := over(t, made.Message).PublicMessage.Authenticated()
		change(a)
		if err := a.Sign(eve.client.Signer, encoded); err != nil {
			t.Fatal(err)
		}
		return &mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: &mls.PublicMessage{
			Content: a.Content, Signature: a.Signature, ConfirmationTag: a.ConfirmationTag}}
	}
	list := func(ps ...mls.ProposalOrRef) func(*mls.AuthenticatedContent) {
		return func(a *mls.AuthenticatedContent) {
			a.Content.Commit.Proposals = append(a.Content.Commit.Proposals, ps...)
		}
	}
	waiting := c.carol.proposes(group.Remove(3), c.bob)
	ref, err := waiting.PublicMessage.Authenticated().ProposalRef(c.suite)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*mls.AuthenticatedContent)
		want   error
	}{
		{"signature key", func(a *mls.AuthenticatedContent) {
			a.Content.Commit.Path.LeafNode.SignatureKey = c.alice.client.Signer.Public()
		}, mls.ErrSignature},
		{"no path", func(a *mls.AuthenticatedContent) { a.Content.Commit.Path = nil }, epoch.ErrPathRequired},
		{"no ExternalInit", func(a *mls.AuthenticatedContent) { a.Content.Commit.Proposals = nil }, epoch.ErrExternalInit},
		{"two ExternalInit", func(a *mls.AuthenticatedContent) {
			a.Content.Commit.Proposals = append(a.Content.Commit.Proposals, a.Content.Commit.Proposals[0])
		}, epoch.ErrExternalInit},
		{"Add", list(mls.ProposalOrRef{Proposal: group.Add(c.dave.keyPackage())}), epoch.ErrExternalList},
		{"by reference", list(mls.ProposalOrRef{Ref: ref}), epoch.ErrExternalReference},
		{"removal of another", list(mls.ProposalOrRef{Proposal: group.Remove(2)}), epoch.ErrExternalRemove},
		{"two removals", list(mls.ProposalOrRef{Proposal: group.Remove(2)}, mls.ProposalOrRef{Proposal: group.Remove(3)}), epoch.ErrExternalRemove},
		{"kem output", func(a *mls.AuthenticatedContent) {
			p := *a.Content.Commit.Proposals[0].Proposal
			p.ExternalInit = flip(p.ExternalInit)
			a.Content.Commit.Proposals[0].Proposal = &p
		}, mls.ErrConfirmationTag},
		{"kem output of a wrong size", func(a *mls.AuthenticatedContent) {
			a.Content.Commit.Proposals[0].Proposal = &mls.Proposal{Type: mls.ProposalTypeExternalInit, ExternalInit: []byte{1}}
		}, epoch.ErrKEMOutput},
		{"confirmation tag", func(a *mls.AuthenticatedContent) { a.ConfirmationTag = flip(a.ConfirmationTag) }, mls.ErrConfirmationTag},
		{"leaf source", func(a *mls.AuthenticatedContent) {
			a.Content.Commit.Path.LeafNode.Source = mls.LeafNodeSourceKeyPackage
		}, mls.ErrLeafNode},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.bob.t = t
			c.bob.refuses(forge(tc.change), tc.want)
		})
	}
	c.bob.t = t
	private := forge(func(*mls.AuthenticatedContent) {})
	c.bob.takes(private)
	agree(t, c.bob, eve)
}

// A newcomer who lacks what the group requires is kept out by committer and
// receivers.
func TestNewcomerMustSupport(t *testing.T) {
	alice, bob, bare := newPerson(t, suite, "alice"), newPerson(t, suite, "bob"), newPerson(t, suite, "bare")
	bare.client.Capabilities = group.DefaultCapabilities(suite)
	bare.client.Capabilities.Proposals = nil
	alice.create(requiring(t, mls.RequiredCapabilities{Proposals: []mls.ProposalType{mls.ProposalTypeSelfRemove}}))
	bob.joinFrom(alice, alice.commits(values(group.Add(bob.keyPackage()))))
	add := group.Add(bare.keyPackage())
	_, err := alice.Commit(values(add))
	wants(t, err, epoch.ErrRequiredProposal)
	valid := alice.drafts(group.CommitOptions{})
	a := over(t, valid.Message).PublicMessage.Authenticated()
	a.Content.Commit = &mls.Commit{Proposals: []mls.ProposalOrRef{{Proposal: add}}}
	m, err := alice.Forge(a)
	if err != nil {
		t.Fatal(err)
	}
	bob.refuses(m, epoch.ErrRequiredProposal)
	bob.takes(valid.Message)
}
