package account

import (
	"slices"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// Trace is something by which a client could be recognised in what a service
// keeps.
type Trace struct {
	Kind   string
	Octets []byte
}

// Kinds of traces that an account has outside of groups.
const (
	TraceName          = "names"
	TraceIdentityKey   = "identity keys"
	TraceQueue         = "queue identifiers"
	TraceQueueKey      = "queue owner keys"
	TraceAddress       = "queue addresses"
	TracePool          = "pool identifiers"
	TraceUnusedClient  = "pseudonyms in unused KeyPackages"
	TraceUnusedLeafKey = "leaf keys in unused KeyPackages"
)

// Traces lists what of the account a service, or who has a copy of its store,
// could look for: for audits of a provider by those who know the truth. Whoever
// has the list can link all that it names.
func (a *Account) Traces() []Trace {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.static
	queue := s.queue()
	out := []Trace{{TraceName, s.identity.Credential.Identity}, {TraceIdentityKey, s.identity.Key.Public()},
		{TraceQueue, queue[:]}, {TraceQueueKey, s.queueKey.Public()}}
	for _, kind := range pools {
		pool := s.pool(kind)
		out = append(out, Trace{TracePool, pool[:]})
	}
	address := func(id wire.AddressID) { out = append(out, Trace{TraceAddress, slices.Clone(id[:])}) }
	for id := range a.addresses {
		address(id)
	}
	for _, k := range a.keyPackages {
		address(k.address)
		out = append(out, Trace{TraceUnusedClient, slices.Clone(k.persona.Pseudonym.Credential.Client[:])}, Trace{TraceUnusedLeafKey, k.persona.Signer.Public()})
	}
	return out
}
