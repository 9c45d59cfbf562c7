package bench

import (
	"crypto/rand"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// handshake is a commit on its way: the request, and what is true once it was
// accepted.
type handshake struct {
	request *wire.Request
	bundle  *publicgroup.Bundle
	nextKey secret.Bytes
	joined  []*newcomer // those who get the leaves of added
	leaves  func(*epoch.Applied) []mls.LeafIndex
}

// add has the first member add newcomers, and renew its keys.
func (c *crowd) add(newcomers []*newcomer) error {
	var list []*mls.Proposal
	for _, n := range newcomers {
		list = append(list, &mls.Proposal{Type: mls.ProposalTypeAdd, Add: n.keyPackage})
	}
	h, err := c.commit(wire.OpAddUsers, 0, nil, list, newcomers)
	if err != nil {
		return err
	}
	return c.hand(h)
}

// update has a member renew its keys. The caller sends the request and then calls
// follow.
func (c *crowd) update(from mls.LeafIndex) (*handshake, error) {
	return c.commit(wire.OpUpdate, from, nil, nil, nil)
}

// join has somebody join by external commit.
func (c *crowd) join() error {
	n, err := c.newcomer(nil)
	if err != nil {
		return err
	}
	kemOutput, _, err := c.suite.ExternalInit(c.pub)
	if err != nil {
		return err
	}
	h, err := c.commit(wire.OpExternalJoin, 0, n, []*mls.Proposal{{Type: mls.ProposalTypeExternalInit, ExternalInit: kemOutput}}, nil)
	if err != nil {
		return err
	}
	return c.hand(h)
}

// hand hands a commit in, and follows it.
func (c *crowd) hand(h *handshake) error {
	if err := c.send(h.request, new(wire.Accepted)); err != nil {
		return err
	}
	return c.follow(h)
}

// follow takes over the epoch of a commit that was accepted.
func (c *crowd) follow(h *handshake) error {
	staged, err := c.group.StageCommit(h.bundle, time.Now())
	if err != nil {
		return err
	}
	if c.group, err = c.group.Apply(staged.Changes); err != nil {
		return err
	}
	c.stateKey = h.nextKey
	for i, l := range h.leaves(staged.Effects) {
		for len(c.owners) <= int(l) {
			c.owners = append(c.owners, nil)
		}
		c.keys[l], c.owners[l] = h.joined[i].key, h.joined[i].owner
	}
	return nil
}

// commit makes a commit with a path, by a member or by somebody who joins by it.
func (c *crowd) commit(op wire.Operation, from mls.LeafIndex, joiner *newcomer, values []*mls.Proposal, added []*newcomer) (*handshake, error) {
	h := c.group.Header()
	state, err := epoch.NewState(c.group.Tree(), h.Context, h.InterimTranscriptHash)
	if err != nil {
		return nil, err
	}
	sender, key := mls.Sender{Type: mls.SenderTypeMember, Leaf: from}, c.keys[from]
	var template *mls.LeafNode
	if joiner != nil {
		sender, key = mls.Sender{Type: mls.SenderTypeNewMemberCommit}, joiner.key
		template = joiner.keyPackage.LeafNode.Clone()
	} else {
		leaf, err := state.Leaf(from)
		if err != nil {
			return nil, err
		}
		template = leaf.Clone()
	}
	body := new(mls.Commit)
	var list []*epoch.Proposal
	for _, p := range values {
		body.Proposals = append(body.Proposals, mls.ProposalOrRef{Proposal: p})
		list = append(list, &epoch.Proposal{Proposal: p, Sender: sender})
	}
	effects, err := state.Apply(sender, template, list, nil)
	if err != nil {
		return nil, err
	}
	provisional, path, err := c.path(effects, template, key, h.Context.GroupID)
	if err != nil {
		return nil, err
	}
	body.Path = path
	signed := &mls.AuthenticatedContent{WireFormat: mls.WireFormatPublicMessage, ConfirmationTag: c.hash(), Content: mls.FramedContent{
		GroupID: h.Context.GroupID, Epoch: h.Context.Epoch, Sender: sender, ContentType: mls.ContentTypeCommit, Commit: body}}
	if err := signed.Sign(key, state.EncodedContext()); err != nil {
		return nil, err
	}
	bundle, err := c.bundle(signed, provisional, effects, key)
	if err != nil {
		return nil, err
	}
	out := &handshake{bundle: bundle, nextKey: secret.New(random(wire.GroupStateKeySize))}
	b := &wire.GroupCommit{Group: c.id, Commit: bundle.Commit, Welcome: bundle.Welcome, PartialGroupInfo: bundle.PartialGroupInfo, NextKey: out.nextKey}
	auth := wire.Auth{Type: wire.AuthLeaf, Leaf: from}
	if joiner != nil {
		auth = wire.Auth{Type: wire.AuthJoiner}
		out.joined = []*newcomer{joiner}
		out.leaves = func(a *epoch.Applied) []mls.LeafIndex { return []mls.LeafIndex{a.Committer} }
	} else {
		out.joined, out.leaves = added, addedLeaves
	}
	for _, n := range added {
		s := secret.New(random(wire.DeliverySecretSize))
		if n.owner != nil {
			s = n.owner.secret
		}
		b.Joiners = append(b.Joiners, wire.Joiner{Secret: s, JoinInfo: random(joinInfoSize)})
	}
	out.request, err = request(dsDomain, op, b, auth, c.stateKey, key)
	return out, err
}

// joinInfoSize is about what a sealed join info has, in octets.
const joinInfoSize = 200

func addedLeaves(a *epoch.Applied) (out []mls.LeafIndex) {
	for _, change := range a.Added {
		out = append(out, change.Leaf)
	}
	return out
}

// path renews the committer's path and encrypts it to the others.
func (c *crowd) path(effects *epoch.Applied, template *mls.LeafNode, key *mls.SignatureKey, groupID []byte) (*mls.GroupContext, *mls.UpdatePath, error) {
	var path *tree.OwnPath
	path, err := effects.Edit.CreatePath(rand.Reader, effects.Committer, template, key, groupID)
	if err != nil {
		return nil, nil, err
	}
	effects.SetPath()
	provisional, err := effects.Context()
	if err != nil {
		return nil, nil, err
	}
	encoded, err := mls.Marshal(provisional)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := path.Seal(encoded)
	return provisional, sealed, err
}

// bundle puts a signed commit together with what comes along.
func (c *crowd) bundle(signed *mls.AuthenticatedContent, provisional *mls.GroupContext, effects *epoch.Applied, key *mls.SignatureKey) (*publicgroup.Bundle, error) {
	m := &mls.PublicMessage{Content: signed.Content, Signature: signed.Signature, ConfirmationTag: signed.ConfirmationTag}
	if signed.Content.Sender.Type == mls.SenderTypeMember {
		m.MembershipTag = c.hash()
	}
	b := new(publicgroup.Bundle)
	var err error
	if b.Commit, err = mls.Marshal(&mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: m}); err != nil {
		return nil, err
	}
	context, err := effects.Confirmed(provisional, signed)
	if err != nil {
		return nil, err
	}
	info := &mls.GroupInfo{GroupContext: *context, ConfirmationTag: signed.ConfirmationTag, Signer: effects.Committer}
	if err := c.sign(info, key); err != nil {
		return nil, err
	}
	partial, err := info.Partial(false)
	if err != nil {
		return nil, err
	}
	if b.PartialGroupInfo, err = mls.Marshal(partial); err != nil || len(effects.Added) == 0 {
		return b, err
	}
	w := &mls.Welcome{CipherSuite: c.suite.ID(), EncryptedGroupInfo: random(welcomeInfoSize)}
	for _, k := range effects.KeyPackages {
		ref, err := k.Ref(c.suite)
		if err != nil {
			return nil, err
		}
		w.Secrets = append(w.Secrets, mls.EncryptedGroupSecrets{NewMember: ref,
			EncryptedGroupSecrets: mls.HPKECiphertext{KEMOutput: random(32), Ciphertext: random(groupSecretsSize)}})
	}
	b.Welcome, err = mls.Marshal(&mls.Message{WireFormat: mls.WireFormatWelcome, Welcome: w})
	return b, err
}

// About what the parts of a Welcome have, in octets.
const (
	welcomeInfoSize  = 400
	groupSecretsSize = 90
)
