package attester

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of [Allowances.Admit] besides the store's and [ErrExhausted].
var (
	// ErrClass: no policy rations the class.
	ErrClass = errors.New("attester: unknown token class")
	// ErrBatchSize: the policy does not allow a request of that many tokens.
	ErrBatchSize = errors.New("attester: batch size not allowed")
)

// ExhaustedError is an [ErrExhausted] that says when to ask again.
type ExhaustedError struct {
	// RetryAt is when the next epoch starts; zero for an account that has had
	// the only allowance it will ever have.
	RetryAt time.Time
}

func (*ExhaustedError) Error() string { return ErrExhausted.Error() }

// Unwrap returns [ErrExhausted].
func (*ExhaustedError) Unwrap() error { return ErrExhausted }

// Grace is how long charges are kept after their epoch ended, so that a reply
// lost at the very end can still be fetched by who notices late.
const Grace = time.Hour

// Allowances rations tokens. It holds no state of its own besides its
// configuration and is safe for concurrent use.
type Allowances struct {
	store    Store
	names    Names
	period   time.Duration
	policies map[string]Policy
}

// NewAllowances returns the rationing of the classes in policies, which must be
// valid, with epochs of the given period, which must be a whole number of
// seconds.
func NewAllowances(store Store, names Names, period time.Duration, policies map[string]Policy) (*Allowances, error) {
	if period < time.Second || period%time.Second != 0 {
		return nil, fmt.Errorf("%w: the period must be a whole number of seconds", ErrPolicy)
	}
	for class, p := range policies {
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("class %q: %w", class, err)
		}
	}
	return &Allowances{store, names, period, policies}, nil
}

// Policy returns the policy of a class.
func (a *Allowances) Policy(class string) (Policy, bool) {
	p, ok := a.policies[class]
	return p, ok
}

// Period returns the length of an epoch.
func (a *Allowances) Period() time.Duration { return a.period }

// Ticket is the admission of one token request. It is spent by one Settle.
type Ticket struct {
	store   Store
	account Account
	charge  Charge
	retryAt time.Time
	reply   []byte
}

// Admit decides whether the account that an attester named may have the tokens
// of the request. It reads, and charges nothing: requests of one account that
// race are sorted out by Settle. The errors are [ErrClass], [ErrBatchSize],
// [*ExhaustedError] and those of the store.
func (a *Allowances) Admit(ctx context.Context, scheme string, id Identity, r *Request) (*Ticket, error) {
	policy, ok := a.policies[r.Class]
	if !ok {
		return nil, ErrClass
	}
	if !policy.Allows(r.Tokens) {
		return nil, ErrBatchSize
	}
	t := &Ticket{store: a.store, account: a.names.Account(scheme, id.Subject)}
	t.charge = Charge{Slot: Slot{r.Class, EpochAt(r.Now, a.period)}, Request: r.id()}
	if id.Once.IsZero() {
		t.retryAt = (t.charge.Slot.Epoch + 1).Start(a.period)
	} else {
		// Filed where it lives as long as the account: a credential that is
		// accepted for a year cannot be used again after its first epoch.
		t.charge.Once, t.charge.Slot.Epoch = true, EpochAt(id.Once, a.period)
	}
	v, err := a.store.Look(ctx, t.account, t.charge.Slot, t.charge.Request)
	if err != nil {
		return nil, err
	}
	t.charge.Limit = policy.Limit(v.Standing, t.charge.Slot.Epoch)
	if t.charge.Once {
		t.charge.Limit = policy.Tokens
	}
	if t.reply = v.Reply; t.reply == nil && r.Tokens > t.charge.Limit-v.Spent {
		return nil, &ExhaustedError{t.retryAt}
	}
	return t, nil
}

// Reply returns the reply that was settled for an earlier copy of the request,
// and nil if there is none. A caller that gets one releases it and is done.
func (t *Ticket) Reply() []byte { return t.reply }

// Settle durably charges for a reply that conveys so many tokens and returns
// the reply to release. That is the stored one, not the given one, if a copy of
// the request won a race. The errors are [*ExhaustedError] and those of the
// store; after either nothing may be released.
func (t *Ticket) Settle(ctx context.Context, reply []byte, tokens int) ([]byte, error) {
	t.charge.Reply, t.charge.Tokens = reply, tokens
	stored, err := t.store.Charge(ctx, t.account, t.charge)
	if errors.Is(err, ErrExhausted) {
		return nil, &ExhaustedError{t.retryAt}
	}
	return stored, err
}

// Reduce cuts the allowance of an account from the epoch of now on. A request
// that is being decided at the same moment may still be served under the allowance of
// before.
func (a *Allowances) Reduce(ctx context.Context, scheme, subject string, p Penalty, now time.Time) error {
	if err := p.Validate(); err != nil {
		return err
	}
	epoch := EpochAt(now, a.period)
	r := &Reduction{Cut: NewCut(p.Percent, epoch, p.Hold, p.Epochs)}
	return a.store.Reduce(ctx, a.names.Account(scheme, subject), r, epoch)
}

// Condemn cuts the allowance of the account that a verdict is about, from the next
// epoch on, so that nothing changes for the account at the time of the verdict. It
// fails with [ErrRepeated], with [ErrVerdictStale], and with the store's errors.
func (a *Allowances) Condemn(ctx context.Context, scheme, subject string, v *Verdict, p Penalties, now time.Time) error {
	penalty, ok := p.Weights[v.Weight]
	if !ok {
		return fmt.Errorf("%w: no penalty for the weight", ErrPolicy)
	}
	epoch := EpochAt(now, a.period)
	r := &Reduction{Cut: NewCut(penalty.Percent, epoch+1, penalty.Hold, penalty.Epochs), Repeat: p.Repeat, ID: v.ID, Expires: EpochAt(v.Expires(), a.period)}
	err := a.store.Reduce(ctx, a.names.Account(scheme, subject), r, epoch)
	if errors.Is(err, ErrPast) {
		return ErrVerdictStale
	}
	return err
}

// Forget drops the charges of the epochs that ended more than [Grace] ago.
func (a *Allowances) Forget(ctx context.Context, now time.Time) error {
	return a.store.DropBefore(ctx, EpochAt(now.Add(-Grace), a.period))
}
