package queuetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/linear"
)

// A call of a history of one pool: it takes under a request, or publishes a batch.
type poolInput struct {
	pool    byte
	request int    // 0 publishes
	batch   uint64 // which is published
}

type poolOutput struct {
	taken string // "" if the pool is exhausted
	left  int    // after publishing
}

// poolState is a pool as a history sees it. Any KeyPackage that is left may be the
// next: the contract has no order.
type poolState struct {
	batch uint64
	left  map[string]bool
	taken map[int]string // by request
}

const packagesOfBatch = 12

var poolModel = linear.Model[poolState, poolInput, poolOutput]{
	Partition: func(in poolInput) string { return fmt.Sprint("pool ", in.pool) },
	Step:      poolStep,
	Equal: func(a, b poolState) bool {
		return a.batch == b.batch && maps.Equal(a.left, b.left) && maps.Equal(a.taken, b.taken)
	},
}

func poolStep(s poolState, in poolInput, out *poolOutput) (poolState, bool) {
	switch {
	case in.request == 0:
		if in.batch > s.batch {
			s.batch, s.left = in.batch, map[string]bool{}
			for n := range packagesOfBatch {
				s.left[string(packageName(in.batch, n))] = true
			}
		}
		return s, out == nil || out.left == len(s.left)
	case s.taken[in.request] != "":
		return s, out.taken == s.taken[in.request]
	case out.taken == "":
		return s, len(s.left) == 0
	case !s.left[out.taken]:
		return s, false
	}
	s.left, s.taken = maps.Clone(s.left), maps.Clone(s.taken)
	if s.taken == nil {
		s.taken = map[int]string{}
	}
	delete(s.left, out.taken)
	s.taken[in.request] = out.taken
	return s, true
}

// poolClient is one client of a history. A request is repeated until it is
// answered, and that is one call: whatever failed on the way, it takes one
// KeyPackage.
type poolClient struct {
	*linear.History[poolInput, poolOutput]
	number  int
	pool    byte
	store   Store
	doubt   *linear.Doubt // the client's own
	lost    bool          // a call of the request under way was, and may still run
	made    int
	request int // that is under way, or the last
	call    *linear.Call[poolInput, poolOutput]
}

func poolID(name byte) wire.PoolID { return wire.PoolID{7, name} }

func (c *poolClient) take(request int) (ok bool) {
	if c.call == nil {
		c.request = request
		c.call = c.Begin(c.number, poolInput{pool: c.pool, request: request})
	}
	claim := qs.Claim{Kind: wire.PoolConnection, Request: [32]byte{c.pool, byte(c.request), byte(c.request >> 8)}}
	var out poolOutput
	err := c.doubt.Do(func() error {
		got, err := c.store.Take(context.Background(), poolID(c.pool), today, claim)
		if err == nil {
			out.taken = string(got)
		} else if errors.Is(err, qs.ErrExhausted) {
			err = nil
		}
		return err
	})
	if err != nil {
		c.lost = true
		return false
	}
	if out.taken == "" && c.lost {
		// A call that was lost and runs after this answer takes one of a batch that
		// was published in between, and the history would have no call for that.
		c.doubt.Wait()
		time.Sleep(linger)
		c.lost = false
		return c.take(request)
	}
	c.call.Answer(out)
	c.call, c.lost = nil, false
	return true
}

// linger is for how long a call may still run in a store whose connection broke.
const linger = 10 * time.Millisecond

func (c *poolClient) publish(batch uint64) (ok bool) {
	call := c.Begin(c.number, poolInput{pool: c.pool, batch: batch})
	p := part(batch, 0, packagesOfBatch, true)
	p.Kind = wire.PoolConnection
	var left int
	err := c.doubt.Do(func() error {
		status, err := c.store.Publish(context.Background(), poolID(c.pool), p)
		left = int(status.Left)
		return err
	})
	if err != nil {
		return false
	}
	call.Answer(poolOutput{left: left})
	return true
}

func (c *poolClient) next(rng *rand.Rand) (ok bool) {
	if c.number == 0 && c.call == nil && rng.IntN(5) == 0 {
		c.made++
		return c.publish(uint64(c.made))
	}
	request := c.request
	if request == 0 || rng.IntN(4) > 0 { // else the same again
		c.made++
		request = 1000*(c.number+1) + c.made
	}
	return c.take(request)
}

// PoolHistory is [QueueHistory] for KeyPackages.
func PoolHistory(site Site, step int, round byte) error {
	store, err := site.Open()
	if err != nil {
		return err
	}
	defer func() { store.Close() }()
	h := &linear.History[poolInput, poolOutput]{}
	var clients []*poolClient
	for n := range historians {
		clients = append(clients, &poolClient{History: h, number: n, pool: round, store: store, doubt: &linear.Doubt{OneIn: lostOneIn}})
	}
	store, err = phases(site, step, store, nil, func(store Store, broken bool) {
		for _, c := range clients {
			c.store = store
		}
		race(len(clients), func(n int, rng *rand.Rand) bool {
			return clients[n].next(rng) || !broken
		})
		for _, c := range clients {
			c.doubt.Wait()
		}
	})
	if err != nil {
		return err
	}
	for _, c := range clients {
		c.doubt = nil // no further call is lost
		if c.call != nil && !c.take(0) {
			return errors.New("queuetest: the last request failed")
		}
	}
	for range packagesOfBatch + 1 { // until it is exhausted, and that is true
		c := clients[0]
		c.made++
		if !c.take(1000 + c.made) {
			return errors.New("queuetest: taking what is left failed")
		}
	}
	return linear.Check(h, poolModel, timeToDecide)
}
