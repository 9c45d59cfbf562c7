package bench

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// load is a size of group with what is sent to it.
type load struct {
	members, groups int
	payloads        []int
	deliveries      int // in each round
}

// rounds of each measurement: the best one counts, which a busy machine disturbs
// least.
const rounds = 3

// fanout measures durable deliveries per second, from the requests of the senders
// to the last entry in a queue. Every group has one sender, who sends its next
// message when the one before was accepted. Nobody reads.
//
// The baseline stores a copy of the message for each recipient in a synced
// transaction of its own, with as many senders.
//
// The processor time per delivery, of which signing the requests is a small part,
// tells what to expect of other numbers of processors, and does not depend on
// what else the machine does.
func fanout(ctx context.Context, e *env) error {
	const kb = 1 << 10
	loads := sized(e, []load{
		{2, 64, []int{kb}, 4_000},
		{10, 64, []int{kb}, 20_000},
		{100, 16, []int{256, kb, 16 * kb}, 50_000},
		{1000, 2, []int{kb}, 50_000},
	}, []load{
		{2, 256, []int{256, kb, 16 * kb}, 20_000},
		{10, 128, []int{256, kb, 16 * kb}, 100_000},
		{100, 64, []int{256, kb, 16 * kb}, 400_000},
		{1000, 8, []int{256, kb, 16 * kb}, 400_000},
	})
	for _, l := range loads {
		if err := l.measure(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) measure(ctx context.Context, e *env) error {
	dir, remove, err := e.tempDir()
	if err != nil {
		return err
	}
	defer remove()
	s, err := newSite(dir)
	if err != nil {
		return err
	}
	defer s.close()
	crowds, err := s.newCrowds(l.groups, l.members)
	if err != nil {
		return err
	}
	for _, size := range l.payloads {
		// The first message opens addresses and begins segments.
		if _, err := l.round(ctx, s, crowds, size, 1); err != nil {
			return err
		}
		messages := max(1, l.deliveries/l.members/l.groups)
		cpu := time.Duration(1<<63 - 1)
		value, err := best(func() (float64, error) {
			before := processor()
			rate, err := l.round(ctx, s, crowds, size, messages)
			cpu = min(cpu, processor()-before)
			return rate, err
		})
		if err != nil {
			return err
		}
		baseline, err := l.baseline(ctx, e, size)
		if err != nil {
			return err
		}
		e.emit(Result{Name: "fanout_deliveries", Members: l.members, PayloadBytes: size, Value: value, Unit: "deliveries/s", Baseline: baseline})
		if cpu > 0 {
			e.emit(Result{Name: "fanout_processor", Members: l.members, PayloadBytes: size, Unit: "µs/delivery",
				Value: float64(cpu.Microseconds()) / float64(messages*l.members*l.groups)})
		}
	}
	return nil
}

// best returns the highest rate of the rounds.
func best(round func() (float64, error)) (most float64, err error) {
	for range rounds {
		rate, err := round()
		if err != nil {
			return 0, err
		}
		most = max(most, rate)
	}
	return most, nil
}

// newCrowds makes groups whose members all have queues, and waits until they got
// their Welcomes.
func (s *site) newCrowds(groups, members int) ([]*crowd, error) {
	owners, err := s.newOwners(groups * members)
	if err != nil {
		return nil, err
	}
	crowds := make([]*crowd, groups)
	err = each(groups, 0, func(i int) (err error) {
		own := owners[i*members : (i+1)*members]
		if crowds[i], err = s.newCrowd(own[0]); err != nil {
			return err
		}
		return crowds[i].fill(own[1:])
	})
	if err != nil {
		return nil, err
	}
	return crowds, s.settle(context.Background())
}

// round has each group's sender send so many messages, and returns the rate of
// deliveries.
func (l *load) round(ctx context.Context, s *site, crowds []*crowd, size, messages int) (float64, error) {
	requests, err := l.requests(crowds, size, messages)
	if err != nil {
		return 0, err
	}
	runtime.GC()
	total := len(crowds) * messages * l.members
	goal, start := s.delivered.Load()+int64(total), time.Now()
	err = each(len(crowds), len(crowds), func(i int) error {
		for _, m := range requests[i] {
			if err := s.accept(m); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.await(ctx, goal)
	}
	return float64(total) / time.Since(start).Seconds(), err
}

func (l *load) baseline(ctx context.Context, e *env, size int) (float64, error) {
	p, done, err := e.newPeer()
	if err != nil {
		return 0, err
	}
	defer done()
	payload := random(size)
	const long = 500 * time.Millisecond // and what is under way then
	return best(func() (float64, error) {
		var copies atomic.Int64
		start := time.Now()
		err := each(l.groups, l.groups, func(group int) error {
			for time.Since(start) < long {
				if err := p.copies(ctx, group, min(l.members, 32), payload); err != nil {
					return err
				}
				copies.Add(int64(min(l.members, 32)))
			}
			return nil
		})
		return float64(copies.Load()) / time.Since(start).Seconds(), err
	})
}

// requests are so many messages of each group's sender.
func (l *load) requests(crowds []*crowd, size, messages int) ([][][]byte, error) {
	requests := make([][][]byte, len(crowds))
	return requests, each(len(crowds), 0, func(i int) error {
		for range messages {
			m, err := crowds[i].message(0, size)
			if err != nil {
				return err
			}
			requests[i] = append(requests[i], m)
		}
		return nil
	})
}
