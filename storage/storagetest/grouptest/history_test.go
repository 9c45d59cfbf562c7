package grouptest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/grouptest"
	"github.com/pseudods/pseudods/storage/storagetest/linear"
)

// checksThenWrites is a store that compares versions and writes later, whatever
// happened in between: the later of two writers undoes what the first was told.
type checksThenWrites struct{ *grouptest.Reference }

func (s checksThenWrites) Commit(ctx context.Context, group wire.GroupID, b *ds.Batch) error {
	before, err := s.Read(ctx, group, nil)
	if err != nil || before.Version != b.Base {
		return ds.ErrConflict
	}
	time.Sleep(time.Millisecond)
	for late := *b; ; late.Base++ {
		if err := s.Reference.Commit(ctx, group, &late); !errors.Is(err, ds.ErrConflict) {
			return err
		}
	}
}

// loses is a store that acknowledges some batches in vain.
type loses struct {
	*grouptest.Reference
	commits *atomic.Int32
}

func (s loses) Commit(ctx context.Context, group wire.GroupID, b *ds.Batch) error {
	if before, err := s.Read(ctx, group, nil); err == nil && before.Version == b.Base && s.commits.Add(1)%20 == 0 {
		return nil
	}
	return s.Reference.Commit(ctx, group, b)
}

// repeats is a store that keeps some of the messages that it is to remove.
type repeats struct {
	*grouptest.Reference
	removed *atomic.Int32
}

func (s repeats) Done(ctx context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (uint64, error) {
	if first, err := s.First(ctx, group, lane); err == nil && first > 0 && first <= sequence && s.removed.Add(1)%3 == 0 {
		return 0, nil
	}
	return s.Reference.Done(ctx, group, lane, sequence)
}

// forgets is a store that does not see all that waits when it removes something.
type forgets struct{ *grouptest.Reference }

func (s forgets) Done(ctx context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (uint64, error) {
	next, err := s.Reference.Done(ctx, group, lane, sequence)
	if next > sequence+1 {
		next = 0
	}
	return next, err
}

type broken struct {
	memory
	store grouptest.Store
}

func (b broken) Open() (grouptest.Store, error) { return b.store, nil }

// TestHistoryRejects: stores that break the contract in the ways that matter are
// found, each by one of a few histories.
func TestHistoryRejects(t *testing.T) {
	for name, store := range map[string]func(*grouptest.Reference) grouptest.Store{
		"two commits of one version":  func(r *grouptest.Reference) grouptest.Store { return checksThenWrites{r} },
		"a lost commit":               func(r *grouptest.Reference) grouptest.Store { return loses{r, new(atomic.Int32)} },
		"a message that is forgotten": func(r *grouptest.Reference) grouptest.Store { return forgets{r} },
		"a message that comes back":   func(r *grouptest.Reference) grouptest.Store { return repeats{r, new(atomic.Int32)} },
	} {
		rejected := false
		for round := range byte(20) {
			err := grouptest.History(broken{store: store(grouptest.NewReference())}, -1, round)
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
