package abuse

import (
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// bucket is a token bucket as limiters of other servers have it: so many at once,
// and one more each time.
type bucket struct {
	left float64
	last time.Time
}

// rate is what a bucket allows.
type rate struct {
	every time.Duration
	burst int
}

func (b *bucket) take(r rate, now time.Time) (wait time.Duration) {
	if b.last.IsZero() {
		b.left = float64(r.burst)
	} else {
		b.left = min(float64(r.burst), b.left+float64(now.Sub(b.last))/float64(r.every))
	}
	b.last = now
	if b.left < 1 {
		return time.Duration((1 - b.left) * float64(r.every))
	}
	b.left--
	return 0
}

// limiter has a bucket for each name and sort of operation.
type limiter struct {
	rates   map[sort]rate
	buckets map[string]*[sorts]bucket
}

// sort groups operations as limiters of other servers do.
type sort int

const (
	sortMessages sort = iota // what members do in groups
	sortFirst                // what strangers ask of users and services
	sorts
)

// sortOf returns the sort of an operation, or false for one that nobody limits:
// reading, and the upkeep of what is one's own.
func sortOf(o wire.Operation) (sort, bool) {
	switch o {
	case wire.OpConnectionPackages, wire.OpGroupPackages, wire.OpConnectionRequest, wire.OpCreateGroup, wire.OpCreateQueue, wire.OpPublishKeyPackages,
		wire.OpExternalJoin, wire.OpReportAbuse, wire.OpExternalCommitInfo, wire.OpAccessRequest, wire.OpAddUsers:
		return sortFirst, true
	}
	return sortMessages, o.IsGroup() && o != wire.OpWelcomeInfo && o != wire.OpVerificationKey && o != wire.OpCommitOutcome && o != wire.OpRequestGroupID
}

func (l *limiter) judge(name string, r *Request) Verdict {
	s, limited := sortOf(r.Operation)
	if !limited {
		return Verdict{}
	}
	b := l.buckets[name]
	if b == nil {
		b = new([sorts]bucket)
		l.buckets[name] = b
	}
	if wait := b[s].take(l.rates[s], r.Now); wait > 0 {
		return Verdict{Refuse: true, RetryAfter: wait}
	}
	return Verdict{}
}

// addressLimit limits network addresses, which several people share behind a
// router or a proxy: an address gets what four accounts get.
type addressLimit struct{ limiter }

func newAddressLimit() Defence {
	return &addressLimit{limiter{map[sort]rate{sortMessages: {125 * time.Millisecond, 160}, sortFirst: {ration / 256, 256}}, map[string]*[sorts]bucket{}}}
}

func (*addressLimit) Traits() Traits             { return Traits{Demands: Address} }
func (d *addressLimit) Judge(r *Request) Verdict { return d.judge(r.Address, r) }
func (d *addressLimit) Kept() int                { return len(d.buckets) }

// identityBucket limits accounts: messages at the rate and burst that the product
// gives a leaf, and the rest by what the product's attester gives an account in a
// day. Clients prove who they are with each request.
type identityBucket struct{ limiter }

func newIdentityBucket() Defence {
	return &identityBucket{limiter{map[sort]rate{sortMessages: {500 * time.Millisecond, 40}, sortFirst: {ration / 64, 64}}, map[string]*[sorts]bucket{}}}
}

func (*identityBucket) Traits() Traits             { return Traits{Demands: Identity} }
func (d *identityBucket) Judge(r *Request) Verdict { return d.judge(r.Account, r) }
func (d *identityBucket) Kept() int                { return len(d.buckets) }
