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

// Cut is the reduction of an account's allowance, such as after an upheld
// report. The account is not told: it sees a smaller allowance and no reason.
type Cut struct {
	// Percent is how much of the allowance is withheld, 0 to 100.
	Percent uint8
	// Until is the first epoch in which the whole allowance is back.
	Until Epoch
}

func (c Cut) apply(limit int, epoch Epoch) int {
	if epoch >= c.Until {
		return limit
	}
	return int(int64(limit) * int64(100-min(c.Percent, 100)) / 100)
}

// Current returns the cut, or the zero cut if it ended before now.
func (c Cut) Current(now Epoch) Cut {
	if c.Until <= now {
		return Cut{}
	}
	return c
}

// Join returns the cut that withholds what either withholds: the higher share,
// until the later epoch. Cuts therefore do not add up, and applying one twice
// is applying it once. Stores join to the [Cut.Current] one.
func (c Cut) Join(d Cut) Cut {
	return Cut{Percent: max(c.Percent, d.Percent), Until: max(c.Until, d.Until)}
}
