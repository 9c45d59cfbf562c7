package queuetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/linear"
)

// The operations of a history of queues.
type operation string

const (
	opAppend operation = "append"
	opRead   operation = "read"
	opAck    operation = "ack"
)

type queueInput struct {
	op    operation
	queue byte
	// mark and number are of an append; the two tell its entry.
	mark   byte
	number uint64
	// upto is the last entry that the reader knows: what it reads comes after,
	// and what it acknowledges ends there. "" for none.
	upto string
	seq  uint64 // of upto
}

type queueOutput struct {
	fresh   bool     // of append
	entries []string // of read
	empty   bool
}

// queueState is one queue as a history sees it.
type queueState struct {
	entries []string
	numbers [4]uint64 // by mark
}

func entryName(mark byte, number uint64) string { return fmt.Sprint(mark, ".", number) }

var queueModel = linear.Model[queueState, queueInput, queueOutput]{
	Partition: func(in queueInput) string { return fmt.Sprint("queue ", in.queue) },
	Step:      queueStep,
	Equal: func(a, b queueState) bool {
		return a.numbers == b.numbers && slices.Equal(a.entries, b.entries)
	},
}

func queueStep(s queueState, in queueInput, out *queueOutput) (queueState, bool) {
	// What the reader knows was there; if it is no more, all before it is gone too.
	after := s.entries[slices.Index(s.entries, in.upto)+1:]
	switch in.op {
	case opAppend:
		fresh := in.number > s.numbers[in.mark]
		if fresh {
			s.numbers[in.mark] = in.number
			s.entries = append(slices.Clip(s.entries), entryName(in.mark, in.number))
		}
		return s, out == nil || out.fresh == fresh
	case opRead:
		if out == nil {
			return s, true
		}
		n := len(out.entries)
		return s, n <= len(after) && slices.Equal(out.entries, after[:n]) && out.empty == (n == len(after))
	}
	s.entries = after
	return s, true
}

// queueClient is one client of a history: it reads one queue and appends to all.
type queueClient struct {
	*linear.History[queueInput, queueOutput]
	number  int
	store   Store
	doubt   *linear.Doubt
	rng     *rand.Rand
	queues  []byte
	numbers *sync.Map  // of marks and queues, which clients share: *numbering
	known   queueInput // what it has read
	seen    *sequences
}

// numbering gives the numbers of one mark in one queue.
type numbering struct {
	mu   sync.Mutex
	last uint64
}

type queueCall = linear.Call[queueInput, queueOutput]

// sequences checks that an entry has one number, whoever reads it when, and tells
// what became of appends that were left open.
type sequences struct {
	mu    sync.Mutex
	seqs  map[string]uint64     // by queue and entry
	names map[string]string     // by queue and number
	first map[string]*queueCall // by queue and entry, that has read it
	open  map[*queueCall]string // appends, to their queue and entry
	err   error
}

func (s *sequences) see(queue byte, seq uint64, name string, by *queueCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, number := fmt.Sprint(queue, " ", name), fmt.Sprint(queue, " ", seq)
	if s.first[entry] == nil {
		s.first[entry] = by
	}
	if other, ok := s.seqs[entry]; ok && other != seq {
		s.err = fmt.Errorf("%w: entry %s has numbers %d and %d", linear.ErrHistory, entry, seq, other)
	}
	if other, ok := s.names[number]; ok && other != name {
		s.err = fmt.Errorf("%w: number %s is that of %s and %s", linear.ErrHistory, number, name, other)
	}
	s.seqs[entry], s.names[number] = seq, name
}

func (s *sequences) leaveOpen(in queueInput, call *queueCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[call] = fmt.Sprint(in.queue, " ", entryName(in.mark, in.number))
}

// settle tells the history, once all queues were read to their ends. Readers skip
// nothing, and acknowledge what they have read: what none of them saw never was.
func (s *sequences) settle() {
	for call, entry := range s.open {
		if by := s.first[entry]; by != nil {
			call.SeenBy(by)
		} else {
			call.Drop()
		}
	}
}

func queueID(name byte) wire.QueueID { return wire.QueueID{7, name} }

// append appends to a few queues at once, each entry a call of its own in the
// history.
func (c *queueClient) append() (ok bool) {
	var entries []qs.Append
	var inputs []queueInput
	var calls []*queueCall
	mark := byte(1 + c.rng.IntN(3))
	for _, q := range c.queues {
		if c.rng.IntN(2) == 0 {
			continue
		}
		v, _ := c.numbers.LoadOrStore([2]byte{q, mark}, &numbering{})
		n := v.(*numbering)
		n.mu.Lock()
		n.last++
		number := n.last
		n.mu.Unlock()
		if number > 1 && c.rng.IntN(8) == 0 {
			number-- // again, or overtaken
		}
		a := entryOf(queueID(q), qs.Mark{mark}, number)
		a.Ciphertext = []byte(entryName(mark, number))
		entries = append(entries, a)
		in := queueInput{op: opAppend, queue: q, mark: mark, number: number}
		inputs, calls = append(inputs, in), append(calls, c.Begin(c.number, in))
	}
	var out []qs.Appended
	err := c.doubt.Do(func() (err error) {
		got, err := c.store.Append(context.Background(), today, entries)
		if err == nil {
			out = got
		}
		return err
	})
	for i, call := range calls {
		if err != nil {
			c.seen.leaveOpen(inputs[i], call)
		} else {
			call.Answer(queueOutput{fresh: out[i].Fresh})
		}
	}
	return err == nil
}

// readSome reads on, or all anew.
func (c *queueClient) readSome() (ok bool) {
	if c.rng.IntN(3) == 0 {
		c.known.upto, c.known.seq = "", 0
	}
	_, ok = c.read()
	return ok
}

// read reads on, and tells whether that was the end.
func (c *queueClient) read() (end, ok bool) {
	in := c.known
	in.op = opRead
	call := c.Begin(c.number, in)
	page, err := c.store.ReadQueue(context.Background(), queueID(in.queue), today, in.seq, 1+c.rng.IntN(6))
	if err != nil {
		call.Drop()
		return false, false
	}
	out := queueOutput{empty: page.Empty}
	for _, e := range page.Entries {
		out.entries = append(out.entries, string(e.Ciphertext))
	}
	call.Answer(out)
	for _, e := range page.Entries {
		c.seen.see(in.queue, e.Seq, string(e.Ciphertext), call)
		c.known.upto, c.known.seq = string(e.Ciphertext), e.Seq
	}
	return page.Empty, true
}

func (c *queueClient) ack() (ok bool) {
	in := c.known
	in.op = opAck
	call := c.Begin(c.number, in)
	err := c.doubt.Do(func() error { return c.store.AckQueue(context.Background(), queueID(in.queue), today, in.seq) })
	if err != nil {
		return false
	}
	call.Answer(queueOutput{})
	return true
}

func (c *queueClient) next() (ok bool) {
	switch n := c.rng.IntN(10); {
	case n < 5:
		return c.append()
	case n < 9 || c.known.seq == 0:
		return c.readSome()
	}
	return c.ack()
}

const (
	historians   = 6
	callsOfPhase = 12
	lostOneIn    = 25 // so few that the search through what may have become of them is short
	timeToDecide = 20 * time.Second
)

// QueueHistory lets clients race on a few queues of a site, through a connection
// that loses calls, fails the store at a step (none if negative) while they go on,
// crashes it, lets them go on, and returns an error unless what they were told is
// linearizable in each queue, with all that was left open either done or not. Each
// round of a site needs its own number.
func QueueHistory(site Site, step int, round byte) error {
	store, err := site.Open()
	if err != nil {
		return err
	}
	defer func() { store.Close() }()
	queues := []byte{3 * round, 3*round + 1, 3*round + 2}
	for _, q := range queues {
		if _, err := store.CreateQueue(context.Background(), queueID(q), today, newQueue(q, settings())); err != nil {
			return err
		}
	}
	h, doubt := &linear.History[queueInput, queueOutput]{}, &linear.Doubt{OneIn: lostOneIn}
	numbers, seen := &sync.Map{}, &sequences{
		seqs: map[string]uint64{}, names: map[string]string{}, first: map[string]*queueCall{}, open: map[*queueCall]string{}}
	var clients []*queueClient
	for n := range historians {
		clients = append(clients, &queueClient{History: h, number: n, store: store, doubt: doubt, rng: rand.New(rand.NewPCG(uint64(round), uint64(n))),
			queues: queues, numbers: numbers, known: queueInput{queue: queues[n%len(queues)]}, seen: seen})
	}
	store, err = phases(site, step, store, doubt, func(store Store, broken bool) {
		for _, c := range clients {
			c.store = store
		}
		race(len(clients), func(n int, rng *rand.Rand) bool {
			return clients[n].next() || !broken
		})
	})
	if err != nil {
		return err
	}
	for _, c := range clients[:len(queues)] { // one for each queue
		c.known.upto, c.known.seq = "", 0
		for end := false; !end; {
			var ok bool
			if end, ok = c.read(); !ok {
				return errors.New("queuetest: the last read failed")
			}
		}
	}
	seen.settle()
	if err := linear.Check(h, queueModel, timeToDecide); err != nil {
		return err
	}
	return seen.err
}

// phases runs one phase on the store as it is, one while it fails at the step, and
// one after a crash. It returns the store that is open then, or was last.
func phases(site Site, step int, store Store, doubt *linear.Doubt, phase func(store Store, broken bool)) (Store, error) {
	phase(store, false)
	doubt.Wait()
	if step >= 0 {
		site.Fail(step)
		phase(store, true)
		doubt.Wait()
	}
	if err := site.Crash(); err != nil {
		return store, err
	}
	again, err := site.Open()
	if err != nil {
		return store, err
	}
	phase(again, false)
	doubt.Wait()
	return again, nil
}

// race lets n clients make calls at once. One for which next returns false ends.
func race(n int, next func(n int, rng *rand.Rand) bool) {
	var wg sync.WaitGroup
	for n := range n {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			for range callsOfPhase {
				if rng.IntN(3) == 0 { // so that clients of a fast store meet
					time.Sleep(time.Duration(rng.Int64N(int64(200 * time.Microsecond))))
				}
				if !next(n, rng) {
					return
				}
			}
		})
	}
	wg.Wait()
}

// testHistories plays histories for each step at which the store can fail, and
// without.
func testHistories(t *testing.T, newSite func(*testing.T) Site) {
	for _, play := range []func(Site, int, byte) error{QueueHistory, PoolHistory} {
		site := newSite(t)
		err := linear.EachStep(site.Steps(), func(step int, round byte) error {
			if testing.Short() && step%4 > 0 {
				return nil
			}
			return play(site, step, round)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
