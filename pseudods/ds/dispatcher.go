package ds

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// Deliverer hands deliveries to queue services.
type Deliverer interface {
	// Deliver puts a delivery into its recipients' queues at a domain and says
	// for each what became of it, in order. After an error it can be repeated.
	Deliver(ctx context.Context, domain string, d *wire.Delivery) (wire.DeliveryReport, error)
}

// DispatcherConfig configures a [Dispatcher]. Zero values mean the defaults.
type DispatcherConfig struct {
	// Workers deliver at a time to each provider. Default 64, and 16 from a [Shared]
	// store, where each call takes one of few connections.
	Workers int
	// Retry is the pause after a first failure; it doubles up to MaxRetry.
	// Defaults 100 ms and 30 s.
	Retry, MaxRetry time.Duration
	// Report, if set, is told how many recipients had each outcome. It gets
	// nothing else on purpose.
	Report func(map[wire.Outcome]int)
}

// Dispatcher takes messages from the store to the queue services. Each lane, the
// messages of one group for one provider, is delivered in order, one message at
// a time; a provider that fails or does not answer holds up no other. A message is
// removed when all of its deliveries were answered: a crash before that repeats
// them, which the queue services know by their numbers. So no message has a lease:
// two dispatchers of one store do double work and nothing wrong. Where processes
// share a store each has one, so that the others go on when it ends, see [Shared].
//
// A recipient whose queue is full, revoked or gone misses the message, and sees
// a gap in the sequence if it reads on.
type Dispatcher struct {
	service *Service
	to      Deliverer
	cfg     DispatcherConfig
	gates   gates // by provider, and "" for lanes of which it is not known

	// mu guards what follows.
	mu     sync.Mutex
	lanes  map[Ref]bool // those being delivered; true if more came meanwhile
	ctx    context.Context
	wg     sync.WaitGroup
	parked map[Ref]bool // woken before Run
	closed bool
}

// NewDispatcher returns a dispatcher of a service's messages.
func NewDispatcher(s *Service, to Deliverer, cfg DispatcherConfig) *Dispatcher {
	workers := 64 // share the syncs of an embedded store
	if _, ok := s.cfg.Store.(Shared); ok {
		workers = 16
	}
	orDefault(&cfg.Workers, workers)
	orDefault(&cfg.Retry, 100*time.Millisecond)
	orDefault(&cfg.MaxRetry, 30*time.Second)
	return &Dispatcher{service: s, to: to, cfg: cfg, gates: gates{most: cfg.Workers}, lanes: map[Ref]bool{}, parked: map[Ref]bool{}}
}

// Wake tells that messages wait in lanes. It does not block.
func (d *Dispatcher) Wake(refs []Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ref := range refs {
		d.wake(ref)
	}
}

// wake needs mu.
func (d *Dispatcher) wake(ref Ref) {
	if d.ctx == nil {
		d.parked[ref] = true
		return
	}
	if d.closed {
		return
	}
	if _, busy := d.lanes[ref]; busy {
		d.lanes[ref] = true
		return
	}
	d.lanes[ref] = false
	ctx := d.ctx
	d.wg.Go(func() { d.serve(ctx, ref) })
}

// Waiting returns in how many lanes there are messages that this dispatcher knows of
// and has not delivered. A lane counts before the request is answered that brought
// its message.
func (d *Dispatcher) Waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lanes) + len(d.parked)
}

// Run delivers what waits, also from before a restart, until the context ends.
// It returns when all deliveries under way have ended. It runs once.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.mu.Lock()
	d.ctx = ctx
	for ref := range d.parked {
		d.wake(ref)
	}
	d.parked = nil
	d.mu.Unlock()
	err := d.follow(ctx)
	// From here on no lane is woken, so that the wait group can only shrink.
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.wg.Wait()
	return err
}

// attendEvery is how often a process renews its lease.
const attendEvery = 2 * time.Second

// follow wakes the lanes that nobody else cares for until the context ends. A
// shared store may be away for a while.
func (d *Dispatcher) follow(ctx context.Context) error {
	shared, ok := d.service.cfg.Store.(Shared)
	if !ok {
		if err := d.wakeAll(ctx); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		_ = shared.Attend(ctx, d.wakeAll)
		select {
		case <-time.After(attendEvery):
		case <-ctx.Done():
			leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), attendEvery)
			defer cancel()
			_ = shared.Leave(leave) // else the lease runs out by itself
			return ctx.Err()
		}
	}
}

func (d *Dispatcher) wakeAll(ctx context.Context) error {
	const page = 1024
	for after := (Ref{}); ; {
		refs, err := d.service.cfg.Store.Waiting(ctx, after, page)
		if err != nil {
			return err
		}
		d.Wake(refs)
		if len(refs) < page {
			return nil
		}
		after = refs[len(refs)-1]
	}
}

// course is how far the messages of a lane were delivered.
type course struct {
	Ref
	first  uint64 // number of the first that waits; 0 if it is to be looked up
	domain string // of the provider; empty until a message was opened
}

// serve delivers the messages of a lane until none is left.
func (d *Dispatcher) serve(ctx context.Context, ref Ref) {
	pause := d.cfg.Retry
	c := &course{Ref: ref}
	for ctx.Err() == nil {
		if err := d.next(ctx, c); err != nil {
			c.first = 0 // others may have gone on meanwhile
			// Jitter keeps the lanes of a provider that comes back apart.
			select {
			case <-ctx.Done():
			case <-time.After(pause/2 + rand.N(pause)):
			}
			pause = min(2*pause, d.cfg.MaxRetry)
			continue
		}
		if pause = d.cfg.Retry; c.first > 0 {
			continue
		}
		d.mu.Lock()
		if !d.lanes[ref] {
			delete(d.lanes, ref)
			d.mu.Unlock()
			return
		}
		d.lanes[ref] = false
		d.mu.Unlock()
	}
}

// next delivers the first message of a lane and goes on to that which is first then.
// It may find out which provider it is for and leave it at that.
func (d *Dispatcher) next(ctx context.Context, c *course) error {
	leave, err := d.gates.enter(ctx, c.domain)
	if err != nil {
		return err
	}
	defer func() { leave() }()
	store := d.service.cfg.Store
	if c.first == 0 {
		if c.first, err = store.First(ctx, c.Group, c.Lane); err != nil || c.first == 0 {
			return err
		}
	}
	at := place{c.Ref, c.first}
	p := d.service.hand.get(at)
	if p == nil {
		m, err := store.Message(ctx, c.Group, c.Lane, c.first)
		if err != nil {
			return err
		}
		if m == nil { // another process has delivered it
			c.first, err = store.First(ctx, c.Group, c.Lane)
			return err
		}
		if p, err = d.service.openMessage(c.Group, m); err != nil {
			return err
		}
	}
	if c.domain != p.domain {
		c.domain = p.domain
		// Whoever waits for a provider neither keeps a message nor those of others.
		there, ok := d.gates.try(c.domain)
		if !ok {
			return nil
		}
		leave()
		leave = there
	}
	outcomes := map[wire.Outcome]int{}
	var lost losses
	for s := range p.portions() {
		report, err := d.to.Deliver(ctx, p.domain, &s.Delivery)
		if err != nil {
			return err
		}
		for _, o := range report {
			outcomes[o]++
		}
		lost = append(lost, s.lost(report)...)
	}
	if len(lost) > 0 {
		if err := d.service.note(ctx, c.Group, lost); err != nil {
			return err
		}
	}
	if c.first, err = store.Done(ctx, c.Group, c.Lane, c.first); err != nil {
		return err
	}
	d.service.hand.drop(at)
	if d.cfg.Report != nil {
		d.cfg.Report(outcomes)
	}
	return nil
}
