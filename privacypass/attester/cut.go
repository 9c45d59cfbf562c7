package attester

import (
	"errors"
	"fmt"
)

// Cut is the reduction of an account's allowance, such as after an upheld
// report. From From through Full it withholds a share of Percent; then the share
// shrinks by equal steps with each epoch, until Until, when the whole allowance is
// back. The account is not told: it sees a smaller allowance and no reason.
//
// The zero Cut withholds nothing.
type Cut struct {
	// Percent is how much of the allowance is withheld at most, 0 to 100.
	Percent uint8
	// From is the first epoch that is concerned, and Full the last one in which
	// Percent are withheld. Until is the first in which nothing is.
	From, Full, Until Epoch
	// Strikes counts the epochs in which a verdict came while the cut was in force,
	// and Last is the latest of them. See [Repeat].
	Strikes uint8
	Last    Epoch
}

// NewCut returns the cut that withholds so many percent in hold epochs, the first of
// which is from, and less with each further one, in epochs epochs in all. It must be
// 1 <= hold <= epochs.
func NewCut(percent uint8, from Epoch, hold, epochs int) Cut {
	return Cut{Percent: percent, From: from, Full: from + Epoch(hold) - 1, Until: from + Epoch(epochs)}
}

// Share returns how many percent are withheld in an epoch, rounded up.
func (c Cut) Share(epoch Epoch) uint8 {
	percent := min(c.Percent, 100)
	switch {
	case epoch < c.From, epoch >= c.Until:
		return 0
	case epoch <= c.Full:
		return percent
	}
	left, all := uint64(c.Until-epoch), uint64(c.Until-c.Full)
	if all > 1<<32 { // the product would not fit; no policy is that slow
		return percent
	}
	return uint8((uint64(percent)*left + all - 1) / all)
}

func (c Cut) apply(limit int, epoch Epoch) int {
	return int(int64(limit) * int64(100-c.Share(epoch)) / 100)
}

// Current returns what the cut is from now on: the zero cut if it has ended, and one
// that begins with the share that is still withheld if that has begun to shrink. So
// what is joined to it does not bring back what was restored.
func (c Cut) Current(now Epoch) Cut {
	switch {
	case c.Until <= now:
		return Cut{}
	case c.Full < now:
		c.Percent, c.Full = c.Share(now), now
	}
	return c
}

// Join returns a cut that withholds in each epoch at least what either withholds: the
// higher share, from the earlier epoch, fully and in all until the later one. Cuts
// therefore do not add up, and applying one twice is applying it once. Stores join to
// the [Cut.Current] one.
func (c Cut) Join(d Cut) Cut {
	switch {
	case c.Until == 0:
		return d
	case d.Until == 0:
		return c
	}
	return Cut{Percent: max(c.Percent, d.Percent), From: min(c.From, d.From), Full: max(c.Full, d.Full), Until: max(c.Until, d.Until),
		Strikes: max(c.Strikes, d.Strikes), Last: max(c.Last, d.Last)}
}

// Repeat says how much heavier a cut is for an account that has one in force already.
// Each earlier epoch in which a verdict came, since the account had its whole
// allowance last, adds Percent and Epochs, up to Most percent. All verdicts of one
// epoch count as one, however many there are: reporters who collude, or one person's
// accounts, gain no more than the heaviest of them.
type Repeat struct {
	Percent uint8
	Epochs  uint16
	Most    uint8
}

// Penalty is how an allowance is cut: Percent are withheld in Hold epochs, then less
// with each, in Epochs in all.
type Penalty struct {
	Percent      uint8
	Hold, Epochs int
}

// maxPenalty bounds the epochs of a penalty.
const maxPenalty = 1 << 20

// Validate reports what is wrong with the penalty, or nil.
func (p Penalty) Validate() error {
	if p.Percent > 100 || p.Hold < 1 || p.Hold > p.Epochs || p.Epochs > maxPenalty {
		return fmt.Errorf("%w: a cut is of 0 to 100 percent, fully for at least one of its epochs", ErrPolicy)
	}
	return nil
}

// Penalties is an issuer's policy for verdicts.
type Penalties struct {
	Weights map[Weight]Penalty
	Repeat  Repeat
}

// Validate reports what is wrong with the policy, or nil.
func (p Penalties) Validate() error {
	for _, w := range Weights {
		penalty, ok := p.Weights[w]
		if !ok {
			return fmt.Errorf("%w: no penalty for the weight %v", ErrPolicy, w)
		}
		if err := penalty.Validate(); err != nil {
			return fmt.Errorf("%v: %w", w, err)
		}
	}
	if p.Repeat.Percent > 100 || p.Repeat.Most > 100 {
		return fmt.Errorf("%w: repeat has more than 100 percent", ErrPolicy)
	}
	return nil
}

// Reduction is what is done to an account's [Cut]. The zero ID is a reduction by hand,
// which adds up with nothing.
type Reduction struct {
	Cut    Cut
	Repeat Repeat
	// ID names the verdict, and the store remembers it at least until the epoch
	// Expires is over.
	ID      [16]byte
	Expires Epoch
}

// ErrRepeated: the verdict was applied before.
var ErrRepeated = errors.New("attester: verdict applied before")

// Verdict reports whether the reduction follows from a verdict.
func (r *Reduction) Verdict() bool { return r.ID != [16]byte{} }

// Apply returns the cut of an account after the reduction.
func (r *Reduction) Apply(c Cut, now Epoch) Cut {
	c = c.Current(now)
	if !r.Verdict() {
		return c.Join(r.Cut)
	}
	d := r.Cut
	d.Strikes, d.Last = max(c.Strikes, 1), now
	if c.Strikes > 0 && c.Last < now && c.Strikes < 255 {
		d.Strikes = c.Strikes + 1
	}
	earlier := uint64(d.Strikes - 1)
	d.Percent = uint8(min(uint64(d.Percent)+earlier*uint64(r.Repeat.Percent), max(uint64(r.Repeat.Most), uint64(d.Percent)), 100))
	d.Full += Epoch(earlier * uint64(r.Repeat.Epochs))
	d.Until += Epoch(earlier * uint64(r.Repeat.Epochs))
	return c.Join(d)
}
