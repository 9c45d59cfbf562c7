package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

// commits measures a commit by which a member renews its keys, in groups in which
// every member has committed before: the service's time until it is durable, and
// what it reads and writes. The members have no queues, so that fan-out is not
// part of it.
//
// The baseline decodes, hashes and writes the whole tree.
func commits(ctx context.Context, e *env) error {
	for _, members := range sized(e, []int{10, 100, 1000}, []int{10, 100, 1000, 10_000}) {
		if err := commitIn(ctx, e, members, sized(e, []int{20}, []int{100})[0]); err != nil {
			return err
		}
	}
	return nil
}

func commitIn(ctx context.Context, e *env, members, times int) error {
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
	c, err := s.newCrowd(nil)
	if err != nil {
		return err
	}
	if err := c.grow(members - 1); err != nil {
		return err
	}
	order := rand.New(rand.NewPCG(e.Seed, uint64(members)))
	var took []time.Duration
	s.groups.take()
	for range times {
		h, err := c.update(mls.LeafIndex(order.IntN(members)))
		if err != nil {
			return err
		}
		encoded, err := mls.Marshal(h.request)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := s.call(encoded, new(wire.Accepted)); err != nil {
			return err
		}
		took = append(took, time.Since(start))
		if err := c.follow(h); err != nil {
			return err
		}
	}
	sum := s.groups.take()
	baseline, size, err := e.peerCommit(ctx, c, times)
	if errors.Is(err, badger.ErrTooLarge) {
		baseline, size = []time.Duration{0}, 0 // a group of one blob is too large for one request
	} else if err != nil {
		return err
	}
	n := float64(times)
	e.emit(Result{Name: "commit_time", Members: members, Value: quantile(took, 0.5), Unit: "ms", Baseline: quantile(baseline, 0.5)})
	e.emit(Result{Name: "commit_time_p99", Members: members, Value: quantile(took, 0.99), Unit: "ms", Baseline: quantile(baseline, 0.99)})
	e.emit(Result{Name: "commit_store_bytes", Members: members, Value: float64(sum.octets+sum.pages) / n, Unit: "B/op", Baseline: float64(2 * size)})
	e.emit(Result{Name: "commit_records", Members: members, Value: float64(sum.records) / n, Unit: "records/op"})
	return nil
}

// peerCommit is the time of commits at a peer, and the size of its group.
func (e *env) peerCommit(ctx context.Context, c *crowd, times int) (out []time.Duration, size int, err error) {
	p, done, err := e.newPeer()
	if err != nil {
		return nil, 0, err
	}
	defer done()
	blob, err := c.blob()
	if err != nil {
		return nil, 0, err
	}
	nodes, err := c.group.Export()
	if err != nil {
		return nil, 0, err
	}
	encoded, err := mls.Marshal(&nodes)
	if err != nil {
		return nil, 0, err
	}
	if err := p.save(ctx, 0, blob); err != nil {
		return nil, 0, err
	}
	for range times {
		start := time.Now()
		if err := p.commit(ctx, 0, c.suite, c.id, len(encoded)); err != nil {
			return nil, 0, err
		}
		out = append(out, time.Since(start))
	}
	return out, len(blob), nil
}
