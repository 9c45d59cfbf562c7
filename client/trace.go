package client

import (
	"slices"

	"github.com/pseudods/pseudods/client/account"
)

// Kinds of traces that a client has in groups, beside those of package account.
const (
	TraceGroup    = "group identifiers"
	TraceClient   = "client pseudonyms"
	TraceUser     = "user pseudonyms"
	TraceLeafKey  = "leaf signature keys"
	TraceUserKey  = "user auth keys"
	TraceLinkKey  = "identity link keys"
	TraceStateKey = "group state keys"
)

// Traces lists what of the client a service, or who has a copy of its store,
// could look for, see [account.Account.Traces].
func (c *Client) Traces() []account.Trace {
	out := c.account.Traces()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range c.groups {
		p := &g.persona.Pseudonym
		add := func(kind string, octets []byte) {
			out = append(out, account.Trace{Kind: kind, Octets: slices.Clone(octets)})
		}
		add(TraceGroup, g.id[:])
		add(TraceClient, p.Credential.Client[:])
		add(TraceUser, p.Credential.User[:])
		add(TraceLeafKey, g.persona.Signer.Public())
		add(TraceUserKey, p.Credential.UserAuthKey)
		add(TraceLinkKey, p.LinkKey.Reveal())
		if g.mls != nil {
			if key, err := g.stateKey(); err == nil {
				add(TraceStateKey, key.Reveal())
			}
		}
	}
	return out
}
