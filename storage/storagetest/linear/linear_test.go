package linear_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/storagetest/linear"
)

// The model of a register that is written and read.
type (
	call struct {
		key   string
		write int // 0 reads
	}
	answer int
)

var register = linear.Model[int, call, answer]{
	Partition: func(c call) string { return c.key },
	Step: func(state int, c call, a *answer) (int, bool) {
		if c.write != 0 {
			return c.write, true
		}
		return state, a == nil || int(*a) == state
	},
	Equal: func(a, b int) bool { return a == b },
}

func check(h *linear.History[call, answer]) error {
	return linear.Check(h, register, 10*time.Second)
}

func TestCheck(t *testing.T) {
	write, read := call{"k", 1}, call{"k", 0}
	for name, c := range map[string]struct {
		play func(h *linear.History[call, answer])
		want error
	}{
		"what was written is read": {func(h *linear.History[call, answer]) {
			h.Begin(0, write).Answer(0)
			h.Begin(1, read).Answer(1)
		}, nil},
		"a read that overlaps may come first": {func(h *linear.History[call, answer]) {
			w := h.Begin(0, write)
			h.Begin(1, read).Answer(0)
			w.Answer(0)
		}, nil},
		"a lost write": {func(h *linear.History[call, answer]) {
			h.Begin(0, write).Answer(0)
			h.Begin(1, read).Answer(0)
		}, linear.ErrHistory},
		"a read from the past": {func(h *linear.History[call, answer]) {
			w := h.Begin(0, write)
			h.Begin(1, read).Answer(1)
			h.Begin(1, read).Answer(0)
			w.Answer(0)
		}, linear.ErrHistory},
		"an open write may happen late": {func(h *linear.History[call, answer]) {
			h.Begin(0, write)
			h.Begin(1, read).Answer(0)
			h.Begin(1, read).Answer(1)
		}, nil},
		"an open write may never happen": {func(h *linear.History[call, answer]) {
			h.Begin(0, write)
			h.Begin(1, read).Answer(0)
		}, nil},
		"an open write happens once": {func(h *linear.History[call, answer]) {
			h.Begin(0, write)
			h.Begin(1, read).Answer(1)
			h.Begin(1, call{"k", 2}).Answer(0)
			h.Begin(1, read).Answer(2)
			h.Begin(1, read).Answer(1)
		}, linear.ErrHistory},
		"an open write that was seen happened before": {func(h *linear.History[call, answer]) {
			w := h.Begin(0, write)
			r := h.Begin(1, read)
			r.Answer(1)
			w.SeenBy(r)
			h.Begin(1, read).Answer(0)
		}, linear.ErrHistory},
		"an open call that others made unnecessary": {func(h *linear.History[call, answer]) {
			r := h.Begin(1, read)
			r.Answer(0)
			h.Begin(0, write).SeenBy(r)
			h.Begin(1, read).Answer(1)
		}, linear.ErrHistory},
		"a dropped write never happens": {func(h *linear.History[call, answer]) {
			h.Begin(0, write).Drop()
			h.Begin(1, read).Answer(1)
		}, linear.ErrHistory},
		"partitions have no order between them": {func(h *linear.History[call, answer]) {
			h.Begin(0, call{"other", 1}).Answer(0)
			h.Begin(1, read).Answer(0)
		}, nil},
	} {
		var h linear.History[call, answer]
		c.play(&h)
		if err := check(&h); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// TestCheckEnds: many open writes and a read that none of them explains.
func TestCheckEnds(t *testing.T) {
	var h linear.History[call, answer]
	for n := range 60 {
		h.Begin(n, call{"k", n + 1})
		h.Begin(n, call{"k", 0}).Answer(answer(n%7 + 1))
	}
	h.Begin(0, call{"k", 0}).Answer(99)
	begun := time.Now()
	if err := linear.Check(&h, register, 100*time.Millisecond); !errors.Is(err, linear.ErrUndecided) && !errors.Is(err, linear.ErrHistory) {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Fatalf("took %v", took)
	}
}

func TestDoubt(t *testing.T) {
	var none *linear.Doubt
	if err := none.Do(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	none.Wait()
	d := &linear.Doubt{OneIn: 2}
	ran, answered, lost := make(chan bool, 600), 0, 0
	for range 600 {
		switch err := d.Do(func() error { ran <- true; return nil }); {
		case err == nil:
			answered++
		case errors.Is(err, linear.ErrDoubt):
			lost++
		default:
			t.Fatal(err)
		}
	}
	d.Wait()
	if answered < 200 || lost < 200 || len(ran) <= answered || len(ran) >= 600 {
		t.Fatalf("%d answered, %d lost, %d ran", answered, lost, len(ran))
	}
}

// TestEachStep: an undecided history is played again, any other failure ends it, and no
// round comes twice.
func TestEachStep(t *testing.T) {
	broken := errors.New("broken")
	for want, fails := range map[error]map[[2]int]error{
		nil:                 {{-1, 0}: linear.ErrUndecided, {1, 3}: linear.ErrUndecided, {1, 4}: linear.ErrUndecided},
		linear.ErrUndecided: {{0, 1}: linear.ErrUndecided, {0, 2}: linear.ErrUndecided, {0, 3}: linear.ErrUndecided},
		broken:              {{0, 1}: broken},
	} {
		var played [][2]int
		err := linear.EachStep(2, func(step int, round byte) error {
			at := [2]int{step, int(round)}
			played = append(played, at)
			return fails[at]
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		for n, at := range played {
			if at[1] != n {
				t.Errorf("%v: played %v", want, played)
			}
		}
		if want == nil && played[len(played)-1] != [2]int{1, 5} {
			t.Errorf("played %v", played)
		}
	}
}
