package abuse

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// beginning is when every run begins. Allowance epochs begin at midnight.
var beginning = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// errOver: the run is over.
var errOver = errors.New("abuse: the run is over")

// clock is virtual time, and the processes that live in it. Processes take turns:
// one runs at a time, until it sleeps or ends, and the one whose time is next goes
// on. So a run is deterministic as far as its processes are. A process is a
// goroutine: real clients run in it as they are.
//
// Outside of processes, before the run and after it, sleeping is setting the clock.
type clock struct {
	nanos   atomic.Int64 // since beginning
	asleep  []*process   // in the order of their times
	running *process
	turn    chan struct{} // given back by the running process
	over    bool
	errs    []error
	used    func() time.Duration
}

// process is an actor in virtual time.
type process struct {
	at     time.Duration
	resume chan struct{}
	who    Side
}

func newClock() *clock { return &clock{turn: make(chan struct{}), used: processor} }

// Now is the virtual time.
func (c *clock) Now() time.Time { return beginning.Add(time.Duration(c.nanos.Load())) }

func (c *clock) elapsed() time.Duration { return time.Duration(c.nanos.Load()) }

// start has f begin at the present time, in its turn.
func (c *clock) start(ctx context.Context, who Side, f func(context.Context) error) {
	p := &process{at: c.elapsed(), resume: make(chan struct{}), who: who}
	c.queue(p)
	go func() {
		<-p.resume
		if !c.over {
			if err := f(ctx); err != nil && !c.over {
				c.errs = append(c.errs, err)
			}
		}
		c.turn <- struct{}{}
	}()
}

// queue puts a process behind those of the same time.
func (c *clock) queue(p *process) {
	i := len(c.asleep)
	for i > 0 && c.asleep[i-1].at > p.at {
		i--
	}
	c.asleep = append(c.asleep, nil)
	copy(c.asleep[i+1:], c.asleep[i:])
	c.asleep[i] = p
}

// sleep lets others run until d has passed. It fails with errOver if the run ends
// before.
func (c *clock) sleep(d time.Duration) error {
	p := c.running
	if p == nil {
		c.nanos.Add(int64(max(0, d)))
		return nil
	}
	p.at = c.elapsed() + max(0, d)
	c.queue(p)
	c.turn <- struct{}{}
	<-p.resume
	if c.over {
		return errOver
	}
	return nil
}

// run lets the processes run for a time, and ends those that are left. spent is
// told the processor time of each turn.
func (c *clock) run(window time.Duration, cancel func(), spent func(Side, time.Duration)) error {
	end := c.elapsed() + window
	for len(c.asleep) > 0 {
		p := c.asleep[0]
		c.asleep = c.asleep[1:]
		if p.at > end && !c.over {
			c.over = true
			cancel()
		}
		if !c.over {
			c.nanos.Store(int64(p.at))
		}
		c.running = p
		before := c.used()
		p.resume <- struct{}{}
		<-c.turn
		spent(p.who, c.used()-before)
	}
	c.running = nil
	c.nanos.Store(int64(end))
	return errors.Join(c.errs...)
}
