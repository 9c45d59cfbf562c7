package groups

import (
	"slices"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func laneOf(n int) ds.Ref {
	return ds.Ref{Group: wire.GroupID{byte(n >> 16), byte(n >> 8), byte(n)}, Lane: ds.Lane{1}}
}

// want checks what a lane remembers, or with nil that it does not know.
func (l *lanes) want(t *testing.T, r ds.Ref, sequences ...uint64) {
	t.Helper()
	var got []uint64
	for after := uint64(0); ; {
		e, known, _ := l.next(r, after)
		if !known {
			if sequences != nil {
				t.Fatalf("not known, want %d", sequences)
			}
			return
		}
		if e == nil {
			break
		}
		got, after = append(got, e.sequence), e.sequence
	}
	if sequences == nil || !slices.Equal(got, sequences) {
		t.Fatalf("remembered %d, want %d", got, sequences)
	}
}

// empty lets a lane be found empty.
func (l *lanes) empty(r ds.Ref) {
	_, _, from := l.next(r, 0)
	l.found(r, 0, from)
}

// TestLaneBecomesWhole: a lane answers once nothing can wait that it does not
// remember.
func TestLaneBecomesWhole(t *testing.T) {
	var l lanes
	a := laneOf(1)
	l.settle(a, l.put(a, 7, 1), true)
	l.want(t, a) // there may be others before
	_, _, from := l.next(a, 0)
	l.found(a, 3, from)
	l.want(t, a)
	l.done(a, 3)
	if _, _, from = l.next(a, 0); from.removed != 3 {
		t.Fatalf("looks after %d", from.removed)
	}
	l.found(a, 7, from)
	l.want(t, a, 7)
	l.settle(a, l.put(a, 8, 2), true)
	if waiting, known, _ := l.upTo(a, 8); !known || len(waiting) != 2 || waiting[1] != (entry{8, 2, true}) {
		t.Fatalf("waiting: %+v, %v", waiting, known)
	}
	l.done(a, 7)
	l.want(t, a, 8)
}

// TestLaneForgetsFailures: what the committer could not make durable leaves no trace,
// also if its number was used again before that was told.
func TestLaneForgetsFailures(t *testing.T) {
	var l lanes
	a := laneOf(1)
	l.empty(a)
	l.settle(a, l.put(a, 1, 1), false)
	l.want(t, a, []uint64{}...)
	failed := l.put(a, 1, 3)
	second, third := l.put(a, 1, 1), l.put(a, 2, 1)
	l.settle(a, failed, false)
	l.want(t, a, 1, 2)
	l.settle(a, third, true) // then so is what came before
	if e, _, _ := l.next(a, 0); !e.durable || e.parts != 1 {
		t.Fatalf("first: %+v", e)
	}
	l.settle(a, second, true)
	l.want(t, a, 1, 2)
}

// TestLanesAreBounded: what waits too long, in a lane or in too many, is looked up
// again, and a look that began before does not hide that.
func TestLanesAreBounded(t *testing.T) {
	var l lanes
	a := laneOf(1)
	l.empty(a)
	for n := range uint64(maxWaiting) {
		l.settle(a, l.put(a, n+1, 1), true)
	}
	b := laneOf(2)
	_, _, from := l.next(b, 0)
	l.put(a, maxWaiting+1, 1)
	l.want(t, a)
	if waiting, _, _ := l.upTo(a, 1<<62); len(waiting) != 1 {
		t.Fatalf("%d wait", len(waiting))
	}
	l.found(b, 0, from)
	l.want(t, b)

	l = lanes{}
	l.put(a, 1, 1) // is not durable yet
	for n := 2; n <= maxLanes; n++ {
		l.empty(laneOf(n))
		l.settle(laneOf(n), l.put(laneOf(n), 1, 1), true)
	}
	l.empty(a)
	l.want(t, a, 1)
	l.empty(laneOf(0))
	if len(l.known) != 2 {
		t.Fatalf("%d lanes", len(l.known))
	}
	l.want(t, a)
	l.empty(a)
	l.want(t, a, 1)
}
