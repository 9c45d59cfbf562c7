package linear

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// ErrDoubt is the error of a call whose outcome [Doubt] hides.
var ErrDoubt = errors.New("linear: connection lost")

// Doubt stands for a connection that is lost before a call has reached the store,
// while the store carries it out, or before its answer has come back. The nil
// Doubt loses none. It may be used concurrently.
type Doubt struct {
	// OneIn is in how many calls one is lost, on average. At least 1.
	OneIn int

	late sync.WaitGroup
}

// Do makes a call, or loses it: then the error is [ErrDoubt], and call has run,
// will run soon, or never runs. What it returns and whatever else it leaves is
// the caller's only if Do returns no ErrDoubt.
func (d *Doubt) Do(call func() error) error {
	if d == nil || rand.IntN(d.OneIn) > 0 {
		return call()
	}
	switch rand.IntN(3) {
	case 0: // lost on the way
	case 1:
		call()
	case 2:
		d.late.Go(func() {
			time.Sleep(rand.N(2 * time.Millisecond))
			call()
		})
	}
	return ErrDoubt
}

// Wait returns when no call that was lost is still to run.
func (d *Doubt) Wait() {
	if d != nil {
		d.late.Wait()
	}
}
