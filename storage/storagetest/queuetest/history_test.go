package queuetest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/linear"
	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
)

// broken is a store that breaks the contract in one way.
type broken struct {
	*queuetest.Reference
	calls  *atomic.Int32
	every  int32
	append func(b broken, entries []qs.Append) ([]qs.Append, error)
	ack    func(upto uint64) uint64
	take   func(b broken, pool wire.PoolID, c qs.Claim) (qs.Claim, []byte)
}

func (b broken) due() bool  { return b.calls.Add(1)%b.every == 0 }
func (broken) Close() error { return nil }

func (b broken) Append(ctx context.Context, day qs.Day, entries []qs.Append) ([]qs.Appended, error) {
	if b.append != nil && len(entries) > 0 && b.due() {
		kept, err := b.append(b, entries)
		if err != nil {
			return nil, err
		}
		out, err := b.Reference.Append(ctx, day, kept)
		for len(out) < len(entries) {
			out = append(out, qs.Appended{Outcome: wire.Delivered, Fresh: true})
		}
		return out, err
	}
	return b.Reference.Append(ctx, day, entries)
}

func (b broken) AckQueue(ctx context.Context, id wire.QueueID, day qs.Day, upto uint64) error {
	if b.ack != nil {
		upto = b.ack(upto)
	}
	return b.Reference.AckQueue(ctx, id, day, upto)
}

func (b broken) Take(ctx context.Context, pool wire.PoolID, day qs.Day, c qs.Claim) ([]byte, error) {
	if b.take != nil && b.due() {
		changed, found := b.take(b, pool, c)
		if found != nil {
			return found, nil
		}
		c = changed
	}
	return b.Reference.Take(ctx, pool, day, c)
}

type brokenSite struct{ store queuetest.Store }

func (s brokenSite) Open() (queuetest.Store, error) { return s.store, nil }
func (brokenSite) Crash() error                     { return nil }
func (brokenSite) Steps() int                       { return 0 }
func (brokenSite) Fail(int)                         {}

// TestHistoryRejects: stores that break the contract in the ways that matter are
// found, each by one of a few histories.
func TestHistoryRejects(t *testing.T) {
	var last atomic.Value // what a careless pool has handed out
	for name, c := range map[string]struct {
		play  func(queuetest.Site, int, byte) error
		store broken
	}{
		"a lost append": {queuetest.QueueHistory, broken{every: 20, append: func(_ broken, entries []qs.Append) ([]qs.Append, error) {
			return entries[:len(entries)-1], nil
		}}},
		"a retry that is added again": {queuetest.QueueHistory, broken{every: 3, append: func(b broken, entries []qs.Append) ([]qs.Append, error) {
			again := append([]qs.Append{}, entries...)
			for i := range again {
				again[i].Mark[15] = 1 // so that the store does not know it
			}
			_, err := b.Reference.Append(context.Background(), 20_000, again)
			return entries, err
		}}},
		"an acknowledgement of too much": {queuetest.QueueHistory, broken{every: 1, ack: func(upto uint64) uint64 { return upto + 1 }}},
		"a KeyPackage for two": {queuetest.PoolHistory, broken{every: 5, take: func(b broken, pool wire.PoolID, c qs.Claim) (qs.Claim, []byte) {
			// It is read by one who has not removed it yet.
			other := c
			other.Request[31] = 1
			found, err := b.Reference.Take(context.Background(), pool, 20_000, other)
			if last := last.Swap(append([]byte{}, found...)); last != nil && err == nil {
				time.Sleep(time.Millisecond)
				found = last.([]byte)
			}
			return c, found
		}}},
		"a retry that takes another": {queuetest.PoolHistory, broken{every: 2, take: func(_ broken, _ wire.PoolID, c qs.Claim) (qs.Claim, []byte) {
			c.Request[31] = 1
			return c, nil
		}}},
	} {
		rejected := false
		for round := range byte(20) {
			c.store.Reference, c.store.calls = queuetest.NewReference(), new(atomic.Int32)
			err := c.play(brokenSite{c.store}, -1, round)
			if rejected = errors.Is(err, linear.ErrHistory); rejected {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !rejected {
			t.Errorf("%s: not noticed", name)
		}
	}
}
