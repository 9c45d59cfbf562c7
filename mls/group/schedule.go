package group

import (
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// scheduled are the results of the key schedule that a committer needs.
type scheduled struct {
	*mls.EpochSecrets
	joiner    mls.JoinerSecret
	pskSecret secret.Bytes
}

// consume deletes what is not part of the epoch.
func (s *scheduled) consume() {
	s.joiner.Wipe()
	s.pskSecret.Wipe()
}

// schedule runs the key schedule of one epoch (RFC 9420, Section 8), and deletes
// the commit secret.
func schedule(s *mls.Suite, init mls.InitSecret, commitSecret secret.Bytes, psks []mls.PSK, ctx *mls.GroupContext) (*scheduled, error) {
	encoded, err := mls.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	pskSecret, err := s.PSKSecret(psks)
	if err != nil {
		return nil, err
	}
	joiner := s.NewJoinerSecret(init, commitSecret, encoded)
	commitSecret.Wipe()
	return &scheduled{EpochSecrets: s.NewEpochSecrets(joiner, pskSecret, encoded), joiner: joiner, pskSecret: pskSecret}, nil
}

// complete fills in the next epoch.
func (n *next) complete(g *Group, applied *epoch.Applied, ctx *mls.GroupContext, tag []byte, private *tree.Private, signer *mls.SignatureKey, secrets *mls.EpochSecrets) error {
	transition, err := applied.Next(ctx, tag)
	if err != nil {
		return err
	}
	state, err := transition.State(g.store)
	if err != nil {
		return err
	}
	n.changes = transition.Changes
	n.current = newCurrent(state, tag, private, signer, secrets, g.cfg.Window)
	return nil
}
