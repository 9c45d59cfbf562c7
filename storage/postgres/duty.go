package postgres

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"sync"
	"time"
)

//go:embed duties
var dutyFiles embed.FS

// DutySchema is what [Duties] need in the database.
var DutySchema = Schema{Name: "duty", Migrations: dutyFiles, Routing: Routing{
	Functions: map[string]Route{"claim": OnFirst(), "leave": OnFirst()},
	Tables:    map[string]Placement{"duty": {}},
}}

// Duties are what one of the processes that use a database does for all. Each is
// taken by a lease on the database's clock, so that another process takes it over
// from one that died.
//
// A lease keeps processes from doing the same at the same time as a rule. One that
// was held up past the end of its lease does not know: what it does must bear being
// done twice.
type Duties struct {
	db      *DB
	process [16]byte
}

// NewDuties returns those of a database opened with [DutySchema]. Each value is a
// process to others.
func NewDuties(db *DB) *Duties {
	d := &Duties{db: db}
	rand.Read(d.process[:])
	return d
}

// Claim takes or keeps a duty for the next time. It returns false if another
// process has it.
func (d *Duties) Claim(ctx context.Context, duty string, lease time.Duration) (mine bool, err error) {
	err = d.db.Write(ctx, "select duty.claim($1, $2, $3)", []any{duty, d.process[:], lease.Milliseconds()}, One(&mine))
	return mine, err
}

// Leave gives a duty up, if this process has it.
func (d *Duties) Leave(ctx context.Context, duty string) error {
	return d.db.Write(ctx, "select duty.leave($1, $2)", []any{duty, d.process[:]}, nil)
}

// roundLease is for how long a process that is at [Duties.Round] is taken for alive.
const roundLease = 30 * time.Second

// Round does f if it is this process's to do, and keeps the duty so that no other
// process does it again before the time every is over. It returns false and
// does nothing if another process does it, or has done it. The context of f
// ends if the duty is lost. After an error of f the duty is given up.
func (d *Duties) Round(ctx context.Context, duty string, every time.Duration, f func(context.Context) error) (did bool, err error) {
	if did, err = d.Claim(ctx, duty, roundLease); err != nil || !did {
		return false, err
	}
	within, cancel := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() { d.keep(within, cancel, duty) })
	err = f(within)
	lost := errors.Is(context.Cause(within), errDutyLost)
	cancel(nil)
	keeping.Wait()
	switch {
	case err != nil:
		return true, errors.Join(err, d.Leave(context.WithoutCancel(ctx), duty))
	case lost:
		return true, nil
	}
	_, err = d.Claim(ctx, duty, every)
	return true, err
}

var errDutyLost = errors.New("postgres: another process has the duty")

// keep renews a lease until ctx is done. What fails is tried again.
func (d *Duties) keep(ctx context.Context, cancel context.CancelCauseFunc, duty string) {
	tick := time.NewTicker(roundLease / 5)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if mine, err := d.Claim(ctx, duty, roundLease); err == nil && !mine {
			cancel(errDutyLost)
			return
		}
	}
}
