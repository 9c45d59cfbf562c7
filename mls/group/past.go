package group

import (
	"bytes"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// pastEpoch is what it takes to read late application messages.
type pastEpoch struct {
	epoch      uint64
	context    []byte // the encoded GroupContext, which signatures cover
	senderData secret.Bytes
	messages   *mls.SecretTree
	// keys are the signature keys of the leaves that differ in the next epoch,
	// nil for a leaf that was blank. All others are as they are later.
	keys map[mls.LeafIndex][]byte
}

func clone(b secret.Bytes) secret.Bytes { return secret.Clone(b.Reveal()) }

func newPastEpoch(c *current, changed []mls.LeafIndex) *pastEpoch {
	p := &pastEpoch{
		epoch: c.public.Context.Epoch, context: c.public.EncodedContext(),
		senderData: clone(c.secrets.SenderData), messages: c.messages,
		keys: make(map[mls.LeafIndex][]byte, len(changed)),
	}
	for _, l := range changed {
		p.keys[l] = nil
		if leaf, err := lookUp(c.public, l); err == nil && leaf != nil {
			p.keys[l] = leaf.SignatureKey
		}
	}
	return p
}

// pastKey returns the signature key that a leaf had in past epoch number i of
// the list, counted back from the current one.
func (g *Group) pastKey(i int, l mls.LeafIndex) ([]byte, error) {
	for ; i >= 0; i-- {
		if key, ok := g.past[i].keys[l]; ok {
			if key == nil {
				return nil, epoch.ErrUnknownSender
			}
			return key, nil
		}
	}
	return g.signatureKey(l)
}

// openPast reads an application message of a past epoch.
func (g *Group) openPast(m *mls.PrivateMessage) (*Received, error) {
	for i, p := range g.past {
		if p.epoch != m.Epoch || m.ContentType != mls.ContentTypeApplication {
			continue
		}
		sd, err := m.OpenSenderData(g.suite, p.senderData)
		if err != nil {
			return nil, err
		}
		a, key, err := m.Open(g.suite, p.messages, sd)
		if err != nil {
			return nil, err
		}
		public, err := g.pastKey(i, sd.Leaf)
		if err != nil {
			return nil, err
		}
		if err := a.VerifySignature(g.suite, public, p.context); err != nil {
			return nil, err
		}
		p.messages.Consume(key)
		r := received(a)
		r.SignatureKey = public
		return r, nil
	}
	return nil, &epoch.WrongEpochError{Current: g.Epoch()}
}

// inGroup fails with [epoch.ErrWrongGroup] unless id is the group's.
func (g *Group) inGroup(id []byte) error {
	if !bytes.Equal(id, g.GroupID()) {
		return epoch.ErrWrongGroup
	}
	return nil
}
