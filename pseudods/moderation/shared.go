package moderation

import (
	"context"
	"time"
)

// Duty is what one process does for all that share a store.
type Duty string

// The duties.
const (
	// Sending: the courier's rounds.
	Sending Duty = "verdicts"
	// Asking: the hook's rounds.
	Asking Duty = "webhook"
	// Expiring: the walk of [Docket.Expire].
	Expiring Duty = "expiry"
)

// Shared is a [Store] that several processes may use at once. Each duty is taken by
// a lease, so that a living process takes over from one that died.
type Shared interface {
	Store
	// Claim takes or keeps a duty for a time from now. It returns false if another
	// process has it.
	Claim(ctx context.Context, d Duty, lease time.Duration) (bool, error)
	// Leave gives up a duty that the process has.
	Leave(ctx context.Context, d Duty) error
}

const (
	// dutyLease is longer than one request to an issuer or a webhook may take.
	dutyLease = 45 * time.Second
	// expireEvery is how often cases are looked through.
	expireEvery = time.Hour
	// leaveTimeout bounds the giving up of a duty at the end.
	leaveTimeout = 2 * time.Second
)

// claim reports whether a duty is this process's for the next time. The only
// process of a store has all of them.
func (d *Docket) claim(ctx context.Context, duty Duty, lease time.Duration) (bool, error) {
	if shared, ok := d.cfg.Store.(Shared); ok {
		return shared.Claim(ctx, duty, lease)
	}
	return true, nil
}

// leave gives up a duty, also when ctx has ended. What fails ends with the lease.
func (d *Docket) leave(ctx context.Context, duty Duty) {
	if shared, ok := d.cfg.Store.(Shared); ok {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		_ = shared.Leave(ctx, duty)
	}
}
