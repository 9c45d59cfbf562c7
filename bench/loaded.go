package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	loadedWaiting = 2    // entries that wait in each queue
	loadedActive  = 1000 // queues that get entries, if not all do
	loadedBatch   = 100  // entries of a call
	loadedOctets  = 300  // of an entry
)

// loaded measures what an entry costs in a store of more and more queues, all of
// which have entries that wait: where a thousand of them get all new entries, and
// where each is as likely to get one as all others. The baseline is the least store.
// In the second case each entry finds its queue as it lies on the disk.
func loaded(ctx context.Context, e *env) error {
	return e.loaded(ctx, sized(e, []int{1_000, 30_000}, []int{1_000, 10_000, 100_000, 1_000_000}), sized(e, []int{100}, []int{400})[0])
}

// loaded measures stores of so many queues, by rounds of so many calls.
func (e *env) loaded(ctx context.Context, sizes []int, calls int) error {
	for _, x := range e.engines {
		var shelves []*shelf
		closeAll := func() {
			for _, s := range shelves {
				s.close()
			}
		}
		for _, n := range sizes {
			s, err := e.newShelf(ctx, x, n)
			if s != nil {
				shelves = append(shelves, s)
			}
			if err != nil {
				closeAll()
				return err
			}
		}
		err := calm(ctx, x)
		err = errors.Join(err,
			e.load(ctx, "loaded_active", calls, shelves, func(s *shelf) int { return rand.IntN(min(loadedActive, len(s.next))) }),
			e.load(ctx, "loaded_spread", calls, shelves, func(s *shelf) int { return rand.IntN(len(s.next)) }))
		closeAll()
		if err != nil {
			return err
		}
	}
	return nil
}

// calm waits until what was written before is moved about no more, or for a minute.
func calm(ctx context.Context, x engine) error {
	for range 60 {
		before := processor() + x.processor()
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		if processor()+x.processor()-before < 50*time.Millisecond {
			break
		}
	}
	return nil
}

// shelf is a store full of queues.
type shelf struct {
	engine
	place  place
	site   *site
	remove func()
	next   []uint64 // the number of each queue's next entry
}

func (s *shelf) close() {
	if s.site != nil {
		s.site.close()
	}
	if s.place != nil {
		s.place.close()
	}
	s.remove()
}

func queueAt(i int) (id wire.QueueID) {
	// Identifiers are hashes: neighbours in creation lie anywhere in the store.
	binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	return id
}

func (e *env) newShelf(ctx context.Context, x engine, n int) (_ *shelf, err error) {
	s := &shelf{engine: x, next: make([]uint64, n)}
	var dir string
	if dir, s.remove, err = e.tempDir(); err != nil {
		return nil, err
	}
	if s.place, err = x.newPlace(dir); err != nil {
		return s, err
	}
	if s.site, err = s.place.newSite(); err != nil {
		s.site = nil
		return s, err
	}
	segment, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		return s, err
	}
	err = each(n, 64, func(i int) error {
		_, err := s.site.store.CreateQueue(ctx, queueAt(i), s.today(), qs.Queue{SegmentKey: *segment.Public(),
			Settings: wire.QueueSettings{MaxEntries: 1 << 20, MaxBytes: 1 << 30, TTLDays: 30}})
		return err
	})
	if err != nil {
		return s, err
	}
	for range loadedWaiting {
		err := each((n+loadedBatch-1)/loadedBatch, 8, func(i int) error {
			var batch []qs.Append
			for k := i * loadedBatch; k < min(n, (i+1)*loadedBatch); k++ {
				batch = append(batch, s.entry(k))
			}
			return s.add(ctx, batch)
		})
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *shelf) today() qs.Day { return qs.Day(time.Now().Unix() / 86400) }

// entry makes the next entry of a queue.
func (s *shelf) entry(i int) qs.Append {
	s.next[i]++
	return qs.Append{Queue: queueAt(i), Mark: qs.Mark{1}, Number: s.next[i], Segment: wire.SegmentID{1}, KEMOutput: make([]byte, 32),
		Counter: uint32(s.next[i]), Ciphertext: random(loadedOctets)}
}

func (s *shelf) add(ctx context.Context, batch []qs.Append) error {
	appended, err := s.site.store.Append(ctx, s.today(), batch)
	for _, a := range appended {
		if err == nil && !a.Fresh {
			err = fmt.Errorf("bench: an entry was not added: outcome %d", a.Outcome)
		}
	}
	return err
}

// load has the stores take entries by turns, for queues that pick chooses.
func (e *env) load(ctx context.Context, name string, calls int, shelves []*shelf, pick func(*shelf) int) error {
	rates, cpu := make([][]float64, len(shelves)), make([][]float64, len(shelves))
	for round := range rounds + 1 {
		for i, s := range shelves {
			batches := make([][]qs.Append, calls)
			for b := range batches {
				for range loadedBatch {
					batches[b] = append(batches[b], s.entry(pick(s)))
				}
			}
			runtime.GC()
			before, start := processor()+s.processor(), time.Now()
			// In their order: an entry is not added behind a later one of its queue.
			if err := each(calls, 1, func(b int) error { return s.add(ctx, batches[b]) }); err != nil {
				return err
			}
			if round == 0 {
				continue // what is used often comes into memory
			}
			n := float64(calls * loadedBatch)
			rates[i] = append(rates[i], n/time.Since(start).Seconds())
			cpu[i] = append(cpu[i], float64((processor()+s.processor()-before).Nanoseconds())/1e3/n)
		}
	}
	for i, s := range shelves {
		for _, f := range []struct {
			suffix, unit string
			of           [][]float64
		}{{"", "entries/s", rates}, {"_processor", "µs/entry", cpu}} {
			r := Result{Name: name + f.suffix, Store: s.name(), Queues: len(s.next), PayloadBytes: loadedOctets, Unit: f.unit, Value: median(f.of[i])}
			if i > 0 {
				r.Baseline = median(f.of[0])
			}
			e.emit(r)
		}
	}
	return nil
}
