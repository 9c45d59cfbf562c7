package group

import (
	"github.com/pseudods/pseudods/internal/secret"
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
