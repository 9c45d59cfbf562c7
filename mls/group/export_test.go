package group

import (
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// Forge signs and frames content as this member would, whatever it says.
func (g *Group) Forge(a *mls.AuthenticatedContent) (*mls.Message, error) {
	if err := g.sign(a); err != nil {
		return nil, err
	}
	return g.frame(a)
}

// Frame frames content with the signature it has.
func (g *Group) Frame(a *mls.AuthenticatedContent) (*mls.Message, error) { return g.frame(a) }

// Secrets are those of the current epoch.
func (g *Group) Secrets() *mls.EpochSecrets { return g.now.secrets }

// Private are the keys in the tree.
func (g *Group) Private() *tree.Private { return g.now.private }

// NodeKeys are all private keys in the tree, read from their encoding.
func (g *Group) NodeKeys() (keys []secret.Bytes) {
	b, err := mls.Marshal(g.now.private)
	if err != nil {
		panic(err)
	}
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	r.Uint32()
	r.Vector(func(r *tlscodec.Reader) {
		r.Uint32()
		keys = append(keys, secret.New(r.Opaque()))
	})
	return keys
}

// Kept counts the parts of the state that are bounded.
func (g *Group) Kept() (past, resumption int) { return len(g.past), len(g.resume) }

// ResumptionAt returns the kept resumption PSK of a past epoch.
func (g *Group) ResumptionAt(epoch uint64) (secret.Bytes, bool) {
	for _, r := range g.resume {
		if r.epoch == epoch {
			return r.psk, true
		}
	}
	return secret.Bytes{}, false
}

// Assemble puts a member's group together from its parts, without verifying
// them.
func Assemble(cfg Config, ctx mls.GroupContext, nodes mls.RatchetTree, private *tree.Private, signer *mls.SignatureKey, epochSecret secret.Bytes) (*Group, error) {
	g := &Group{cfg: cfg.withDefaults()}
	s := &savedState{g, nodes}
	if err := s.build(ctx, nil); err != nil {
		return nil, err
	}
	secrets := g.suite.NewGroupSecrets(epochSecret)
	g.now = newCurrent(g.now.public, g.suite.ConfirmationTag(secrets, nil), private, signer, secrets, cfg.Window)
	return g, nil
}

// TreeHash is the hash of a tree.
func TreeHash(s *mls.Suite, nodes mls.RatchetTree) ([]byte, error) {
	c, err := tree.Build(tree.ImportConfig{Suite: s}, nodes)
	if err != nil {
		return nil, err
	}
	return c.Header.Hash, nil
}
