package abuse

import (
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// Request is what an operator sees of a request before the services have it.
type Request struct {
	Now time.Time
	// Address is where the request comes from.
	Address string
	// Account is who asks, authenticated. It is empty unless the defence demands
	// it: nobody else learns it.
	Account   string
	Operation wire.Operation
	// Object is the group, queue or pool that the request names, as the beginning
	// of its body; zero for an operation that names none.
	Object [16]byte
	// Leaf is who signed, for a request of a member; else -1.
	Leaf int64
	// Tokens that come with the request, not verified.
	Tokens int
	Octets int
	// Digest is that of the whole request. Proof is the client's proof of work over
	// it, if the defence asks for one.
	Digest [32]byte
	Proof  []byte
}

// Verdict is what becomes of a request. The zero Verdict passes it on to the
// services, which have rules of their own.
type Verdict struct {
	Refuse bool
	// RetryAfter is when to try again. Zero with Refuse means not at all.
	RetryAfter time.Duration
}

// Demand is the identifier of a client that a defence needs to see with each
// request. What a defence demands is learned by whoever runs it: see Cell.Links.
type Demand string

// The demands.
const (
	Nothing  Demand = ""
	Address  Demand = "address"
	Identity Demand = "account"
)

// Traits say what a defence is made of, beside its own judgement.
type Traits struct {
	// Limits switches on the product's limits of groups and leaves, at their
	// defaults. They are off otherwise.
	Limits bool
	// Prices makes the price list of the product's token desks. Nil: all is free.
	Prices func(issuer string) *tokens.PriceList
	// Feedback has reports of abuse reach the attester, which cuts the accused
	// account's allowance.
	Feedback bool
	// Demands is what clients have to show with each request.
	Demands Demand
	// Work is the proof of work that each request needs, in the time of one core.
	Work time.Duration
}

// Defence stands between clients and services. It is told the time and has no
// clock of its own; it is called by one goroutine at a time.
//
// A defence of the product is switched on by its Traits and judges nothing itself:
// the product's code does. Any other defence judges, and is honest: it gets what it
// needs for nothing, authenticated and exact.
type Defence interface {
	Traits() Traits
	Judge(*Request) Verdict
	// Kept is how many identifiers of clients the defence has in its state now.
	Kept() int
}

// Kind is a defence to choose. New makes one for each run.
type Kind struct {
	Name, Summary string
	// Foreign marks what is not the product's: a re-implementation of what others do.
	Foreign bool
	New     func() Defence
}

// Defences are the columns of the matrix, in their order. The first is no defence.
var Defences = []Kind{
	{"none", "no limits and no prices", false, product(Traits{})},
	{"address", "rate limit per network address", true, newAddressLimit},
	{"identity", "token bucket per authenticated account, as most messengers have", true, newIdentityBucket},
	{"limits", "rate limits per group and leaf", false, product(Traits{Limits: true})},
	{"tokens", "a one-time token for every request that changes something", false, product(Traits{Prices: everything})},
	{"default", "the product's default: limits, and tokens for strangers and bursts", false, product(Traits{Limits: true, Prices: defaultPrices})},
	{"work", "proof of work for each request", true, newWorkPerRequest},
	{"feedback", "a token for every request, and upheld reports cut the allowance", false, product(Traits{Prices: everything, Feedback: true})},
}

// product makes a defence that is the product's own code alone.
func product(t Traits) func() Defence { return func() Defence { return productDefence(t) } }

type productDefence Traits

var _ Defence = productDefence{}

func (d productDefence) Traits() Traits       { return Traits(d) }
func (productDefence) Judge(*Request) Verdict { return Verdict{} }
func (productDefence) Kept() int              { return 0 }
