package attester

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Epoch numbers allowance epochs: epoch n runs from n times the period after
// the Unix epoch to the start of n+1.
type Epoch uint64

// EpochAt returns the epoch of a time at or after 1970.
func EpochAt(t time.Time, period time.Duration) Epoch {
	return Epoch(max(0, t.Unix()) / int64(period/time.Second))
}

// Start returns the first instant of the epoch.
func (e Epoch) Start(period time.Duration) time.Time {
	return time.Unix(int64(e)*int64(period/time.Second), 0)
}

// Policy rations one token class.
type Policy struct {
	// Tokens is how many tokens an established account gets in one epoch, and
	// an account of the kind [Identity.Once] in its life.
	Tokens int
	// Initial is how many tokens an account gets in the epoch in which it is
	// first seen. Zero means Tokens: no slow growth.
	Initial int
	// Growth is what is added to Initial with every epoch since, up to Tokens.
	// It must be positive if Initial is less than Tokens. An account grows with
	// time alone, not with use, so that fetching tokens early gains nothing.
	Growth int
	// BatchSizes are the numbers of tokens that one request may ask for, in
	// rising order. A client that always takes the largest shows nothing of its
	// spending; smaller sizes are for clients that cannot batch.
	BatchSizes []int
}

// ErrPolicy is wrapped by the errors of [Policy.Validate].
var ErrPolicy = errors.New("attester: invalid policy")

// Validate reports what is wrong with the policy, or nil.
func (p Policy) Validate() error {
	switch {
	case p.Tokens < 1 || p.Tokens > 1<<30:
		return fmt.Errorf("%w: tokens must be between 1 and 2^30", ErrPolicy)
	case p.Initial < 0 || p.Initial > p.Tokens:
		return fmt.Errorf("%w: initial must be between 0 and tokens", ErrPolicy)
	case p.Growth < 0 || p.Growth == 0 && p.Initial != 0 && p.Initial < p.Tokens:
		return fmt.Errorf("%w: an initial allowance below tokens needs a positive growth", ErrPolicy)
	case len(p.BatchSizes) == 0 || p.BatchSizes[0] < 1 || !slices.IsSorted(p.BatchSizes) ||
		len(slices.Compact(slices.Clone(p.BatchSizes))) != len(p.BatchSizes):
		return fmt.Errorf("%w: batch sizes must be positive and rising", ErrPolicy)
	case p.BatchSizes[0] > p.start():
		return fmt.Errorf("%w: the smallest batch is larger than a new account's allowance", ErrPolicy)
	}
	return nil
}

func (p Policy) start() int {
	if p.Initial == 0 {
		return p.Tokens
	}
	return p.Initial
}

// Allows reports whether one request may ask for so many tokens.
func (p Policy) Allows(tokens int) bool { return slices.Contains(p.BatchSizes, tokens) }

// Limit returns how many tokens an account of that standing may get in the
// epoch, over all its requests.
func (p Policy) Limit(s Standing, epoch Epoch) int {
	limit := p.start()
	if s.Seen && epoch > s.First && p.Growth > 0 {
		// Compared by division: the product may not fit.
		if age := uint64(epoch - s.First); age > uint64(p.Tokens-limit)/uint64(p.Growth) {
			limit = p.Tokens
		} else {
			limit += int(age) * p.Growth
		}
	}
	return s.Cut.apply(limit, epoch)
}
