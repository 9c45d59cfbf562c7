package tokens

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/verify"
)

// Outcome says how a token was accepted.
type Outcome int

const (
	// Fresh: the token was unspent and is now bound to the request.
	Fresh Outcome = iota + 1
	// Resume: the token was bound to the same request before. Its action may or
	// may not have happened: do it idempotently, or fetch its answer.
	Resume
)

// The refusals of a [Ledger]. None of them changes anything, but for
// [ErrUnavailable], which leaves that open.
var (
	// ErrDoubleSpend: the token was spent on another request.
	ErrDoubleSpend = errors.New("tokens: token already spent")
	// ErrEpochUnknown: the token's key epoch was never opened.
	ErrEpochUnknown = errors.New("tokens: key epoch not open")
	// ErrEpochRetired: the token's key epoch is closed.
	ErrEpochRetired = errors.New("tokens: key epoch retired")
	// ErrEpochFenced: the ledger was restored from an older copy while the epoch
	// was open and cannot judge its tokens. Its key must be replaced.
	ErrEpochFenced = errors.New("tokens: key epoch fenced")
	// ErrCapacity: as many tokens of the epoch were spent as were ever to be
	// issued. Somebody else makes tokens, or the figure is wrong.
	ErrCapacity = errors.New("tokens: key epoch over capacity")
	// ErrNoCapacity: an epoch of no tokens was to be opened.
	ErrNoCapacity = errors.New("tokens: key epoch without capacity")
	// ErrTooManyEpochs: [MaxEpochs] are open.
	ErrTooManyEpochs = errors.New("tokens: too many open key epochs")
	// ErrUnavailable: the ledger failed. The token may or may not be bound to
	// the request now: do not act, and repeat the same request later.
	ErrUnavailable = errors.New("tokens: ledger unavailable")
)

// MaxEpochs is how many epochs may be open at once.
const MaxEpochs = 64

// Epoch is the life of one token key, and the partition of its spent tokens.
type Epoch struct {
	KeyID privacypass.KeyID
	// Capacity is the number of tokens that the issuer issues at most under the
	// key; above it [Ledger.Spend] gives [ErrCapacity]. At least 1.
	Capacity uint64
}

// Validate returns [ErrNoCapacity] if the epoch has none.
func (e Epoch) Validate() error {
	if e.Capacity == 0 {
		return ErrNoCapacity
	}
	return nil
}

// Usage says how full an epoch is.
type Usage struct {
	Spent, Capacity uint64
}

// Alarm reports whether four fifths of the capacity are used, which is the time
// to find out why.
func (u Usage) Alarm() bool { return u.Spent >= u.Capacity-u.Capacity/5 }

// Ledger records spent tokens. Implementations are safe for concurrent use.
//
// Whoever controls a ledger's store can at most: make tokens spendable again or
// refuse them, count how many tokens of each key were spent and, by watching the
// store as it grows, when. Without the [NullifierKey] the store shows no token
// and no request; with it, a token or request known from elsewhere can be looked
// up, and still nothing says who fetched the token.
type Ledger interface {
	// OpenEpoch admits tokens of a key. It is durable when it returns. Opening an
	// open epoch sets its capacity. Closed and fenced epochs stay so.
	OpenEpoch(ctx context.Context, e Epoch) error
	// Spend binds a token to a request if it is not bound yet: one atomic step in
	// the partition of the token's key, durable when Spend returns, whatever the
	// outcome. Of all concurrent and later calls with one token at most one is
	// Fresh; those with the same digest are Resume, and all others give
	// [ErrDoubleSpend]. The zero [verify.Redeemed] is a programming error.
	Spend(ctx context.Context, token verify.Redeemed, request RequestDigest) (Outcome, error)
	// RetireEpoch closes the epoch for good, durably, and drops its partition
	// without failing calls that concern others. Retire a key only when nothing
	// verifies under it any more, plus the skew of clocks. An epoch that was
	// never opened is closed too; one that is closed or fenced stays as it is.
	RetireEpoch(ctx context.Context, key privacypass.KeyID) error
	// Usage returns the figures of an open epoch.
	Usage(ctx context.Context, key privacypass.KeyID) (Usage, error)
}
