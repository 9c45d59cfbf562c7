package queues

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
)

// What one call adds at most, so that it holds its locks for milliseconds.
const (
	maxAppends = 4096 // at once
	maxEach    = 256  // one after the other
)

// Append implements [qs.Queues]. Entries that need nothing but their number are
// added by one call; see the package comment.
func (s *Store) Append(ctx context.Context, today qs.Day, entries []qs.Append) ([]qs.Appended, error) {
	out := make([]qs.Appended, len(entries))
	order := make([]int, len(entries))
	for i := range order {
		if order[i] = i; len(entries[i].Ciphertext) > qs.MaxCiphertext {
			panic("queues: entry over the limit")
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return bytes.Compare(entries[a].Queue[:], entries[b].Queue[:]) })
	var simple, rest []int
	for k, i := range order {
		first := k == 0 || entries[order[k-1]].Queue != entries[i].Queue
		if first && entries[i].Parent == (qs.Mark{}) {
			simple = append(simple, i)
		} else {
			rest = append(rest, i)
		}
	}
	a := &appending{Store: s, today: today, entries: entries, tags: make([]int64, len(entries)), out: out}
	for i := range a.tags {
		a.tags[i] = int64(rand.Uint64())
	}
	for part := range slices.Chunk(simple, maxAppends) {
		if err := a.atOnce(ctx, part); err != nil {
			return nil, err
		}
	}
	for _, i := range simple {
		if out[i].Outcome == 0 {
			rest = append(rest, i)
		}
	}
	// Again by queues, and what came first in a queue before what follows.
	slices.SortFunc(rest, func(a, b int) int {
		if c := bytes.Compare(entries[a].Queue[:], entries[b].Queue[:]); c != 0 {
			return c
		}
		return a - b
	})
	for part := range slices.Chunk(rest, maxEach) {
		if err := a.each(ctx, part); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// appending is one Append under way. Each entry has a random tag, which is stored
// with it: a call that is repeated, because its answer was lost, so knows what it
// added.
type appending struct {
	*Store
	today   qs.Day
	entries []qs.Append
	tags    []int64
	out     []qs.Appended
}

// columns are entries as arrays.
type columns struct {
	nth, counter               []int32
	queue, mark, parent, claim [][16]byte
	brief                      []bool
	number, tag, segment       []int64
	kemOutput, ciphertext      [][]byte
}

func newColumns(n int) *columns {
	return &columns{
		nth: make([]int32, n), counter: make([]int32, n),
		queue: make([][16]byte, n), mark: make([][16]byte, n), parent: make([][16]byte, n), claim: make([][16]byte, n),
		brief:  make([]bool, n),
		number: make([]int64, n), tag: make([]int64, n), segment: make([]int64, n),
		kemOutput: make([][]byte, n), ciphertext: make([][]byte, n),
	}
}

// set makes an entry one of the columns' elements.
func (c *columns) set(k int, nth int, e *qs.Append, tag int64) {
	c.nth[k], c.counter[k] = int32(nth), int32(e.Counter)
	c.queue[k], c.mark[k], c.parent[k], c.claim[k] = e.Queue, e.Mark, e.Parent, e.Claim
	c.brief[k] = e.Brief
	c.number[k], c.tag[k], c.segment[k] = ordered(e.Number), tag, segmentNumber(e.Segment)
	c.kemOutput[k], c.ciphertext[k] = octets(e.KEMOutput), octets(e.Ciphertext)
}

// atOnce adds those entries of a part that need nothing but their number, in each shard
// by a call that it may share with others.
func (a *appending) atOnce(ctx context.Context, part []int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	parts := make([][]int, len(a.joiners))
	for _, i := range part {
		shard := a.db.Shard(a.entries[i].Queue[:], 0)
		parts[shard] = append(parts[shard], i)
	}
	requests := make([]*request, len(parts))
	for shard, part := range parts {
		if len(part) > 0 {
			requests[shard] = a.joiners[shard].submit(a, part)
		}
	}
	var errs []error
	for shard, r := range requests {
		if r != nil {
			errs = append(errs, a.joiners[shard].wait(ctx, r))
		}
	}
	return errors.Join(errs...)
}

// appendAtOnce adds those entries that need nothing but their number, and leaves the
// others without an outcome.
func (s *Store) appendAtOnce(call []sending) error {
	c := newColumns(len(call))
	for k, e := range call {
		c.set(k, k, e.entry(), e.of.tags[e.i])
	}
	var added []int32
	var pushes []bool
	err := s.db.Write(context.Background(), "select * from queues.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
		[]any{int32(call[0].of.today), c.nth, c.queue, c.mark, c.claim, c.number, c.tag, c.segment, c.kemOutput, c.counter, c.ciphertext, int32(qs.EntryOverhead), s.process, s.changes(c.queue)},
		func(r postgres.Rows) error {
			added, pushes = added[:0], pushes[:0] // what a lost attempt said need not have been committed
			var nth int32
			var push bool
			for r.Next() {
				if err := r.Scan(&nth, &push); err != nil {
					return err
				}
				added, pushes = append(added, nth), append(pushes, push)
			}
			return nil
		})
	if err != nil {
		return err
	}
	for k, nth := range added {
		e := call[nth]
		e.of.out[e.i] = qs.Appended{Outcome: wire.Delivered, Fresh: true, Push: pushes[k]}
	}
	return nil
}

// each adds the entries of a part one after the other.
func (a *appending) each(ctx context.Context, part []int) error {
	c := newColumns(len(part))
	for k, i := range part {
		c.set(k, i, &a.entries[i], a.tags[i])
	}
	return a.db.Write(ctx, "select * from queues.append_each($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
		[]any{int32(a.today), c.nth, c.queue, c.mark, c.parent, c.claim, c.brief, c.number, c.tag, c.segment, c.kemOutput, c.counter, c.ciphertext,
			int32(qs.EntryOverhead), int32(qs.MaxMarks), a.process, a.changes(c.queue)},
		func(r postgres.Rows) error {
			var nth, outcome int32
			var fresh, push bool
			for r.Next() {
				if err := r.Scan(&nth, &outcome, &fresh, &push); err != nil {
					return err
				}
				a.out[nth] = qs.Appended{Outcome: wire.Outcome(outcome), Fresh: fresh, Push: push}
			}
			return nil
		})
}
