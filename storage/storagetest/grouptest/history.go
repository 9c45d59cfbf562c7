package grouptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/linear"
)

// operation names what a client of a history asks of a store.
type operation string

const (
	opRead    operation = "read"
	opCommit  operation = "commit"
	opFirst   operation = "first"
	opMessage operation = "message"
	opDone    operation = "done"
)

type input struct {
	op       operation
	group    byte
	lane     byte   // of a commit's message, 0 for none; of first, message and done
	base     uint64 // of a commit
	value    string // of a commit, and of its message; each has its own
	sequence uint64 // of message and done
}

type output struct {
	conflict          bool
	version, sequence uint64 // of read; the sequence of first and done too, 0 if none waits
	value             string
}

// groupState is one group as a history sees it: one record, and two lanes.
type groupState struct {
	version, sequence uint64
	value             string
	lanes             [3][]waiting // the first is not used
}

type waiting struct {
	sequence uint64
	value    string
}

var model = linear.Model[groupState, input, output]{
	Partition: func(in input) string { return fmt.Sprint("group ", in.group) },
	Step:      step,
	Equal: func(a, b groupState) bool {
		return a.version == b.version && a.sequence == b.sequence && a.value == b.value &&
			slices.Equal(a.lanes[1], b.lanes[1]) && slices.Equal(a.lanes[2], b.lanes[2])
	},
}

func step(s groupState, in input, out *output) (groupState, bool) {
	lane := &s.lanes[in.lane]
	switch in.op {
	case opRead:
		return s, out == nil || *out == output{version: s.version, sequence: s.sequence, value: s.value}
	case opCommit:
		if s.version != in.base {
			return s, out == nil || out.conflict
		}
		s.version, s.value = s.version+1, in.value
		if in.lane != 0 {
			s.sequence++
			*lane = append(slices.Clip(*lane), waiting{s.sequence, in.value})
		}
		return s, out == nil || !out.conflict
	case opFirst:
		return s, out == nil || *out == output{sequence: first(*lane)}
	case opMessage:
		var want output
		for _, w := range *lane {
			if w.sequence == in.sequence {
				want.value = w.value
			}
		}
		return s, out == nil || *out == want
	}
	for len(*lane) > 0 && (*lane)[0].sequence <= in.sequence {
		*lane = (*lane)[1:]
	}
	return s, out == nil || *out == output{sequence: first(*lane)}
}

func first(lane []waiting) uint64 {
	if len(lane) == 0 {
		return 0
	}
	return lane[0].sequence
}

// historian is one client of a history.
type historian struct {
	*linear.History[input, output]
	number int
	store  Store
	doubt  *linear.Doubt
	rng    *rand.Rand
	groups []byte
	known  map[byte]uint64    // versions
	first  map[[2]byte]uint64 // sequences of what waited, by group and lane
	made   int
}

var record = []byte("record")

// call makes one call and records it. It returns false if it was left open.
func (h *historian) call(in input) (ok bool) {
	ctx, group, lane := context.Background(), wire.GroupID{7, in.group}, ds.Lane{in.lane}
	var out output
	call := h.Begin(h.number, in)
	err := h.doubt.Do(func() (err error) {
		var got output // which is not looked at if the call was lost
		switch in.op {
		case opRead:
			var s *ds.Snapshot
			if s, err = h.store.Read(ctx, group, []ds.Lookup{{Key: record}}); err == nil {
				got = output{version: s.Version, sequence: s.Sequence, value: string(s.Records[0].Value)}
			}
		case opCommit:
			b := &ds.Batch{Base: in.base, Puts: []ds.Record{{Key: record, Value: []byte(in.value)}}}
			if in.lane != 0 {
				b.Messages = []ds.Message{message(in.lane, in.value)}
			}
			if err = h.store.Commit(ctx, group, b); errors.Is(err, ds.ErrConflict) {
				got.conflict, err = true, nil
			}
		case opFirst:
			got.sequence, err = h.store.First(ctx, group, lane)
		case opMessage:
			var m *ds.Message
			if m, err = h.store.Message(ctx, group, lane, in.sequence); m != nil {
				got.value = string(m.Parts[0])
			}
		case opDone:
			got.sequence, err = h.store.Done(ctx, group, lane, in.sequence)
		}
		if err == nil {
			out = got
		}
		return err
	})
	switch {
	case err == nil:
		call.Answer(out)
	case in.op == opRead || in.op == opFirst || in.op == opMessage:
		call.Drop()
	}
	if err != nil {
		return false
	}
	switch in.op {
	case opRead:
		h.known[in.group] = out.version
	case opCommit:
		if !out.conflict {
			h.known[in.group] = in.base + 1
		} else {
			delete(h.known, in.group)
		}
	case opFirst, opDone:
		h.first[[2]byte{in.group, in.lane}] = out.sequence
	}
	return true
}

// next makes a call of some kind.
func (h *historian) next() (ok bool) {
	in := input{group: h.groups[h.rng.IntN(len(h.groups))], lane: byte(1 + h.rng.IntN(2))}
	base, known := h.known[in.group]
	switch n := h.rng.IntN(10); {
	case !known || n == 0:
		in.op, in.lane = opRead, 0
	case n < 6:
		h.made++
		in.op, in.base, in.value = opCommit, base, fmt.Sprint(h.number, ".", h.made)
		if h.rng.IntN(3) == 0 {
			in.lane = 0
		}
	case n < 7:
		in.op = opFirst
	case n < 8:
		in.op, in.sequence = opMessage, h.first[[2]byte{in.group, in.lane}]
	default:
		in.op, in.sequence = opDone, h.first[[2]byte{in.group, in.lane}]
	}
	return h.call(in)
}

const (
	historians   = 6
	callsOfPhase = 12
	// Doubt loses so few calls that the search through what may have become of
	// them stays short.
	lostOneIn    = 25
	timeToDecide = 20 * time.Second
)

// History lets clients race on a few groups of a site, through a connection that
// loses calls, fails the store at a step (none if negative) while they go on,
// crashes it, lets them go on, and returns an error unless what they were told is
// linearizable in each group, with all that was left open either done or not. Each
// round of a site needs its own number.
func History(site Site, step int, round byte) error {
	store, err := site.Open()
	if err != nil {
		return err
	}
	defer func() { store.Close() }()
	h, doubt := &linear.History[input, output]{}, &linear.Doubt{OneIn: lostOneIn}
	var clients []*historian
	for n := range historians {
		clients = append(clients, &historian{History: h, number: n, store: store, doubt: doubt, rng: rand.New(rand.NewPCG(uint64(round), uint64(n))),
			groups: []byte{3 * round, 3*round + 1, 3*round + 2}, known: map[byte]uint64{}, first: map[[2]byte]uint64{}})
	}
	phase := func(broken bool) {
		var wg sync.WaitGroup
		for _, c := range clients {
			wg.Go(func() {
				for range callsOfPhase {
					if c.rng.IntN(3) == 0 {
						time.Sleep(time.Duration(c.rng.Int64N(int64(200 * time.Microsecond)))) // so that clients of a fast store meet
					}
					if !c.next() && broken {
						return // nothing that follows would be answered
					}
				}
			})
		}
		wg.Wait()
		doubt.Wait()
	}
	phase(false)
	if step >= 0 {
		site.Fail(step)
		phase(true)
	}
	if err := site.Crash(); err != nil {
		return err
	}
	if store, err = site.Open(); err != nil {
		return err
	}
	for _, c := range clients {
		c.store, c.known = store, map[byte]uint64{}
	}
	phase(false)
	last := clients[0]
	last.doubt = nil
	for _, g := range last.groups {
		for _, in := range []input{{op: opRead, group: g}, {op: opFirst, group: g, lane: 1}, {op: opFirst, group: g, lane: 2}} {
			if !last.call(in) {
				return fmt.Errorf("grouptest: the last %s failed", in.op)
			}
		}
	}
	return linear.Check(h, model, timeToDecide)
}

// testHistories plays a history for each step at which the store can fail, and
// one without.
func testHistories(t *testing.T, newSite func(*testing.T) Site) {
	site := newSite(t)
	if err := linear.EachStep(site.Steps(), func(step int, round byte) error { return History(site, step, round) }); err != nil {
		t.Fatal(err)
	}
}
