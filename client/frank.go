package client

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// encrypt makes a message of a content, with a tag that commits this client to it.
func (g *Group) encrypt(content []byte) (*mls.Message, error) {
	tag, data, err := seal.TagContent(g.c.rand, g.id, g.mls.Epoch(), content)
	if err != nil {
		return nil, err
	}
	return g.mls.Send(data, group.MessageOptions{AuthenticatedData: tag[:]})
}

// frankKeys returns the keys that may have signed a frank: those in the service's
// document, or while that is out of reach those that the group was served with
// before. It must be called before a message is decrypted, which works once.
func (g *Group) frankKeys(ctx context.Context, f *wire.Frank) ([][]byte, error) {
	var wanted *wire.FrankKeyID
	if f != nil {
		wanted = &f.Key
	}
	keys, err := g.c.account.FrankKeys(ctx, g.domain, wanted)
	if err == nil {
		return keys, nil
	}
	if len(g.evidence.serviceKeys) > 0 && (wanted == nil || slices.ContainsFunc(g.evidence.serviceKeys, func(k []byte) bool { return wire.FrankKeyIDOf(k) == *wanted })) {
		return g.evidence.serviceKeys, nil
	}
	return nil, err
}

// errNotReportable: a member could deny to have sent a message.
var errNotReportable = errors.New("client: message that could not be reported")

// franked is a message that was read.
type franked struct {
	content []byte
	by      *suspect // nil for one that cannot be reported
	proof   wire.FrankedMessage
}

// keep keeps a text as evidence, unless it is from another client of this user.
func (g *Group) keep(m *franked, from Member, sequence uint64) {
	most := g.c.cfg.Evidence
	if most == 0 {
		most = defaultEvidence
	}
	if m.by == nil || from.OwnUser || most < 0 {
		return
	}
	m.by.member = from
	// What was read aliases the message.
	m.proof.Content, m.by.signatureKey = bytes.Clone(m.proof.Content), bytes.Clone(m.by.signatureKey)
	g.evidence.keep(most, *m.by, shown{sequence, m.by.credential.Client, m.proof})
}

// franked reads a message and checks that it can be reported: that its tag opens,
// and that the service has signed that its sender brought it. A message of a bare
// pseudonym or an account is not franked, and neither is any where the service has
// no keys. It fails with [errNotReportable].
func (g *Group) franked(got *group.Received, frank *wire.Frank, keys [][]byte) (*franked, error) {
	leaf, err := g.mls.Member(got.Sender.Leaf)
	if err != nil || !bytes.Equal(leaf.SignatureKey, got.SignatureKey) {
		return nil, errNotReportable // of an earlier epoch, by somebody who is not there any more
	}
	name, err := wire.ParseMemberName(g.policy().Profile, &leaf.Credential)
	if err != nil {
		return nil, errNotReportable
	}
	if name.Credential == nil {
		return &franked{content: got.Application}, nil
	}
	c, err := seal.OpenTagged(got.AuthenticatedData, g.id, got.Epoch, got.Application)
	if err != nil {
		return nil, errNotReportable
	}
	if len(keys) == 0 {
		return &franked{content: c.Content}, nil
	}
	if frank == nil {
		return nil, errNotReportable
	}
	sender, err := wire.FrankedSender(&leaf.Credential, leaf.SignatureKey)
	if err != nil {
		return nil, errNotReportable
	}
	said := seal.Franked{Domain: g.domain, Group: g.id, Sender: sender, Epoch: got.Epoch, Tag: wire.FrankingTag(got.AuthenticatedData)}
	if said.Verify(keys, frank) != nil {
		return nil, errNotReportable
	}
	g.evidence.serviceKeys = keys
	link, _ := g.linkKey(name.Credential.Client)
	return &franked{content: c.Content, by: &suspect{credential: *name.Credential, signatureKey: leaf.SignatureKey, linkKey: link},
		proof: wire.FrankedMessage{Content: c.Content, Key: c.Key, Epoch: got.Epoch, Frank: *frank}}, nil
}
