package queues

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
)

// server stands for the database: calls wait until they are answered.
type server struct {
	joiner
	calls  chan []sending
	answer chan error
	crowd  byte // makes queues of the same numbers others
}

func newServer() *server {
	s := &server{calls: make(chan []sending, 99), answer: make(chan error)}
	s.joiner.timeout = time.Minute
	s.joiner.call = func(call []sending) error {
		s.calls <- call
		return <-s.answer
	}
	return s
}

// ask makes a request for queues of these numbers.
func (s *server) ask(ctx context.Context, today qs.Day, queues ...byte) (*request, <-chan error) {
	a := &appending{today: today}
	part := make([]int, len(queues))
	for i, q := range queues {
		part[i] = i
		a.entries = append(a.entries, qs.Append{Queue: wire.QueueID{q, s.crowd}})
	}
	r, err := s.submit(a, part), make(chan error, 1)
	go func() { err <- s.wait(ctx, r) }()
	synctest.Wait()
	return r, err
}

// next returns the queues of the next call, and whose each entry is.
func (s *server) next(t *testing.T) (queues []byte, of []*request) {
	t.Helper()
	select {
	case call := <-s.calls:
		for _, e := range call {
			queues, of = append(queues, e.entry().Queue[0]), append(of, e.of)
		}
	case <-time.After(time.Second):
		t.Fatal("no call")
	}
	return queues, of
}

// give answers a call, and returns when all have noticed.
func (s *server) give(err error) {
	s.answer <- err
	synctest.Wait()
}

func answered(t *testing.T, c <-chan error, want error) {
	t.Helper()
	select {
	case err := <-c:
		if !errors.Is(err, want) {
			t.Errorf("answer %v, want %v", err, want)
		}
	default:
		t.Errorf("no answer, want %v", want)
	}
}

func open(t *testing.T, c <-chan error) {
	t.Helper()
	select {
	case err := <-c:
		t.Errorf("answer %v of what is not done", err)
	default:
	}
}

// TestJoin: what comes during a call goes in the next one, in the order of queues; what
// is for a queue that the call has already goes after it, in the order in which it came.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newServer(), t.Context()
		_, first := s.ask(ctx, 1, 5)
		a, ofA := s.ask(ctx, 1, 2, 4, 6)
		b, ofB := s.ask(ctx, 1, 1, 4, 6)
		c, ofC := s.ask(ctx, 1, 3, 6)
		d, ofD := s.ask(ctx, 2, 9) // of another day
		for _, want := range []struct {
			queues []byte
			of     []*request
			done   []<-chan error
			open   []<-chan error
		}{
			{queues: []byte{5}, done: []<-chan error{first}, open: []<-chan error{ofA, ofB, ofC, ofD}},
			{queues: []byte{1, 2, 3, 4, 6}, of: []*request{b, a, c, a, a}, done: []<-chan error{ofA}, open: []<-chan error{ofB, ofC, ofD}},
			{queues: []byte{4, 6}, of: []*request{b, b}, done: []<-chan error{ofB}, open: []<-chan error{ofC, ofD}},
			{queues: []byte{6}, of: []*request{c}, done: []<-chan error{ofC}, open: []<-chan error{ofD}},
			{queues: []byte{9}, of: []*request{d}, done: []<-chan error{ofD}},
		} {
			queues, of := s.next(t)
			if !slices.Equal(queues, want.queues) || want.of != nil && !slices.Equal(of, want.of) {
				t.Fatalf("call for queues %d, want %d", queues, want.queues)
			}
			s.give(nil)
			for _, c := range want.done {
				answered(t, c, nil)
			}
			for _, c := range want.open {
				open(t, c)
			}
		}
		if s.joiner.calls != 0 || s.entries != 0 || len(s.waiting) != 0 {
			t.Errorf("%d calls, %d entries, %d requests are left", s.joiner.calls, s.entries, len(s.waiting))
		}
	})
}

// TestJoinWithdraws: a request whose context or time ends is withdrawn while nothing
// of it was sent, and told the truth otherwise.
func TestJoinWithdraws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		ctx, cancel := context.WithCancel(t.Context())
		_, sent := s.ask(ctx, 1, 1)
		_, withdrawn := s.ask(ctx, 1, 2)
		_, other := s.ask(t.Context(), 1, 3)
		cancel()
		synctest.Wait()
		answered(t, withdrawn, context.Canceled)
		open(t, sent)
		s.next(t)
		s.give(nil)
		answered(t, sent, nil)
		if queues, _ := s.next(t); !slices.Equal(queues, []byte{3}) {
			t.Errorf("call for queues %d", queues)
		}
		_, late := s.ask(t.Context(), 1, 4)
		time.Sleep(time.Minute)
		synctest.Wait()
		answered(t, late, postgres.ErrUnavailable)
		open(t, other)
		s.give(nil)
		answered(t, other, nil)
		if s.joiner.calls != 0 || s.entries != 0 {
			t.Errorf("%d calls, %d entries are left", s.joiner.calls, s.entries)
		}
	})
}

// TestJoinBehindOthers: requests for one queue, which the server does not answer, do not
// wait for one another beyond their time; of one that was sent in part no more is.
func TestJoinBehindOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newServer(), t.Context()
		_, first := s.ask(ctx, 1, 9)
		_, ofA := s.ask(ctx, 1, 1)
		_, ofB := s.ask(ctx, 1, 1, 2)
		_, ofC := s.ask(ctx, 1, 1)
		s.next(t)
		s.give(nil)
		answered(t, first, nil)
		s.next(t) // 1 of A, 2 of B
		time.Sleep(time.Minute)
		synctest.Wait()
		answered(t, ofC, postgres.ErrUnavailable)
		open(t, ofA)
		open(t, ofB)
		s.give(nil)
		answered(t, ofA, nil)
		answered(t, ofB, postgres.ErrUnavailable)
		if s.joiner.calls != 0 || s.entries != 0 || len(s.waiting) != 0 {
			t.Errorf("%d calls, %d entries, %d requests are left", s.joiner.calls, s.entries, len(s.waiting))
		}
	})
}

// TestJoinFails: whose entries were in a call of an open outcome is told so, and nothing
// more of theirs is sent; what is refused is of one request, and the others' goes on.
func TestJoinFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newServer(), t.Context()
		_, first := s.ask(ctx, 1, 9)
		_, ofA := s.ask(ctx, 1, 1, 2)
		_, ofB := s.ask(ctx, 1, 2, 3)
		_, ofC := s.ask(ctx, 1, 2)
		s.next(t)
		s.give(nil)
		answered(t, first, nil)
		s.next(t) // 1 and 2 of A, 3 of B
		s.give(postgres.ErrAmbiguous)
		answered(t, ofA, postgres.ErrAmbiguous)
		answered(t, ofB, postgres.ErrAmbiguous)
		_, ofD := s.ask(ctx, 1, 5)
		if queues, _ := s.next(t); !slices.Equal(queues, []byte{2}) {
			t.Errorf("call for queues %d", queues)
		}
		s.give(nil)
		answered(t, ofC, nil)
		_, ofE := s.ask(ctx, 1, 6)
		_, ofF := s.ask(ctx, 1, 7)
		s.next(t)
		s.give(postgres.ErrRefused) // alone: not tried again
		answered(t, ofD, postgres.ErrRefused)
		if queues, _ := s.next(t); !slices.Equal(queues, []byte{6, 7}) {
			t.Errorf("call for queues %d", queues)
		}
		s.give(postgres.ErrRefused)
		for range 2 {
			queues, _ := s.next(t)
			if len(queues) != 1 {
				t.Fatalf("call for queues %d", queues)
			}
			if queues[0] == 6 {
				s.give(postgres.ErrRefused)
				answered(t, ofE, postgres.ErrRefused)
			} else {
				s.give(nil)
				answered(t, ofF, nil)
			}
		}
	})
}

// TestJoinCrowd: a call that lasts is not waited for when there is enough for another,
// and none is too large.
func TestJoinCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		var all []<-chan error
		entries := make([]byte, 250)
		for i := range entries {
			entries[i] = byte(i)
		}
		for range 24 {
			s.crowd++
			_, c := s.ask(t.Context(), 1, entries...)
			all = append(all, c)
		}
		if s.joiner.calls != maxCalls {
			t.Errorf("%d calls under way", s.joiner.calls)
		}
		largest, sum := 0, 0
		for sum < 24*len(entries) {
			queues, _ := s.next(t)
			sum, largest = sum+len(queues), max(largest, len(queues))
			s.give(nil)
		}
		if largest != 1000 {
			t.Errorf("a call of %d entries", largest)
		}
		for _, c := range all {
			answered(t, c, nil)
		}
	})
}
