package queues

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
)

// Processes tell one another of changes by a table that each polls, all its
// waiting readers at once. Who is not seen for a while is dead to the others.
const (
	pollEvery   = 250 * time.Millisecond
	attendEvery = 2 * time.Second
	deadAfter   = 10 // seconds
	keepChanges = 10 * time.Second
	// maxMissing bounds the numbers that are waited for, each for keepChanges.
	maxMissing = 4096
)

// tag is what tells processes of a queue.
func (s *Store) tag(id wire.QueueID) int64 {
	var out [16]byte
	s.tags.Encrypt(out[:], id[:])
	return int64(binary.BigEndian.Uint64(out[:]))
}

// changes are the tags of queues that get entries, nulls if nobody needs them.
func (s *Store) changes(queues [][16]byte) []*int64 {
	tags := make([]*int64, len(queues))
	if s.tags == nil || !s.shared() {
		return tags
	}
	for i, q := range queues {
		tag := s.tag(q)
		tags[i] = &tag
	}
	return tags
}

// shared reports whether some shard has seen other processes.
func (s *Store) shared() bool {
	for i := range s.others {
		if s.others[i].Load() {
			return true
		}
	}
	return false
}

// watcher follows the changes of other processes in one shard.
type watcher struct {
	*Store
	part    int
	after   int64               // the last number seen
	missing map[int64]time.Time // numbers before it that were not, and since when
	own     []seen              // what was seen when, for forgetting own changes
}

type seen struct {
	at   time.Time
	upto int64
}

// Watch implements [qs.Shared]. It calls wake with what tells whether a queue may
// have entries that came through another process. Each shard is asked by itself: one
// that does not answer leaves the readers of others alone.
func (s *Store) Watch(ctx context.Context, wake func(func(wire.QueueID) bool)) error {
	if s.tags == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	var waking sync.Mutex
	var wg sync.WaitGroup
	for part := range s.db.Shards() {
		w := &watcher{Store: s, part: part, missing: map[int64]time.Time{}}
		wg.Go(func() {
			w.watch(ctx, func(some func(wire.QueueID) bool) {
				waking.Lock()
				defer waking.Unlock()
				wake(func(id wire.QueueID) bool { return s.db.Shard(id[:], 0) == part && some(id) })
			})
		})
	}
	wg.Wait()
	return ctx.Err()
}

// watch follows a shard until the context ends.
//
// Numbers are given out before a change can be seen, so one that is missing may
// still come: it is asked for until it does, or is too late. When this process was
// out of touch, others may have taken it for dead and told it nothing: then all
// readers look, after the time in which the others notice that it is back.
func (w *watcher) watch(ctx context.Context, wake func(func(wire.QueueID) bool)) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		// A row that stays tells others to write changes for some seconds more.
		_ = w.db.Write(ctx, "select queues.leave_at($1, $2)", []any{w.part, w.process}, void)
	}()
	var attended, back time.Time
	lost := true // out of touch
	for tick := time.NewTicker(pollEvery); ; {
		now := time.Now()
		if now.Sub(attended) >= attendEvery {
			if now.Sub(attended) > deadAfter*time.Second/2 {
				lost = true
			}
			if w.attend(ctx, now) == nil {
				if attended = time.Now(); lost {
					lost, back = false, attended.Add(2*pollEvery+pollEvery/2)
				}
			}
		}
		tags, err := w.poll(ctx, now)
		switch {
		case err != nil:
			lost = true
		case !back.IsZero() && now.After(back):
			back = time.Time{}
			wake(func(wire.QueueID) bool { return true })
		case len(tags) > 0:
			wake(func(id wire.QueueID) bool { return tags[w.tag(id)] })
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// attend notes that this process is there. Before it begins to, it notes which
// changes there are.
func (w *watcher) attend(ctx context.Context, now time.Time) error {
	if w.after == 0 {
		if err := w.db.Read(ctx, "select queues.last_change_at($1)", []any{w.part}, postgres.One(&w.after)); err != nil {
			return err
		}
	}
	var upto int64
	for len(w.own) > 0 && now.Sub(w.own[0].at) > keepChanges {
		upto, w.own = w.own[0].upto, w.own[1:]
	}
	w.own = append(w.own, seen{now, w.after})
	return w.db.Write(ctx, "select queues.attend_at($1, $2, $3, $4)", []any{w.part, w.process, upto, int32(deadAfter)}, void)
}

// poll returns the tags of new changes by others.
func (w *watcher) poll(ctx context.Context, now time.Time) (map[int64]bool, error) {
	missing := make([]int64, 0, len(w.missing))
	for id, since := range w.missing {
		if now.Sub(since) > keepChanges {
			delete(w.missing, id)
		} else {
			missing = append(missing, id)
		}
	}
	var others int32
	var ids []int64
	tags := map[int64]bool{}
	err := w.db.Read(ctx, "select * from queues.poll_at($1, $2, $3, $4, $5)", []any{w.part, w.process, w.after, missing, int32(deadAfter)}, func(r postgres.Rows) error {
		ids = ids[:0]
		for r.Next() {
			var id *int64
			var these []int64
			if err := r.Scan(&others, &id, &these); err != nil {
				return err
			}
			if id != nil {
				ids = append(ids, *id)
			}
			for _, t := range these {
				tags[t] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	w.others[w.part].Store(others > 0)
	for _, id := range ids {
		delete(w.missing, id)
		for n := max(w.after+1, id-maxMissing); n < id && len(w.missing) < maxMissing; n++ {
			w.missing[n] = now
		}
		w.after = max(w.after, id)
	}
	return tags, nil
}
