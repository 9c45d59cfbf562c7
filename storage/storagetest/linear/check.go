package linear

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// The outcomes of a check that is not passed.
var (
	// ErrHistory: no order of the calls explains their answers.
	ErrHistory = errors.New("linear: no order explains the answers")
	// ErrUndecided: the time was not enough.
	ErrUndecided = errors.New("linear: not decided in time")
)

// Model says what one partition does.
type Model[S, I, O any] struct {
	// Partition names the partition of a call.
	Partition func(input I) string
	// First is the state before all calls.
	First S
	// Step returns the state after a call, and whether that may have given this
	// answer. The answer of an open call is nil and is never wrong: one that had
	// no effect comes last in some order. Step must not change state.
	Step func(state S, input I, output *O) (S, bool)
	// Equal compares states.
	Equal func(a, b S) bool
}

func (m Model[S, I, O]) porcupine() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return m.First },
		Step: func(state, input, output any) (bool, any) {
			next, ok := m.Step(state.(S), input.(I), output.(*O))
			return ok, next
		},
		Equal: func(a, b any) bool { return m.Equal(a.(S), b.(S)) },
	}
}

// Check judges a history whose calls have all returned. The error of a history
// that cannot be tells the partition and its calls from where the longest
// explanation ends.
func Check[S, I, O any](h *History[I, O], m Model[S, I, O], limit time.Duration) error {
	deadline := time.Now().Add(limit)
	parts := h.partitions(m.Partition)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		ops := parts[name]
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("%w: partition %s", ErrUndecided, name)
		}
		result, info := porcupine.CheckOperationsVerbose(m.porcupine(), ops, left)
		switch result {
		case porcupine.Illegal:
			return fmt.Errorf("%w: partition %s, %d calls: %s", ErrHistory, name, len(ops), explain[O](ops, info))
		case porcupine.Unknown:
			return fmt.Errorf("%w: partition %s, %d calls", ErrUndecided, name, len(ops))
		}
	}
	return nil
}

// explain lists the end of the longest order that was found, and the calls that
// have no place in it.
func explain[O any](ops []porcupine.Operation, info porcupine.LinearizationInfo) string {
	const tail = 6
	var longest []int
	for _, partition := range info.PartialLinearizations() {
		for _, order := range partition {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	var b strings.Builder
	show := func(what string, op porcupine.Operation) {
		answer := "open"
		if o := op.Output.(*O); o != nil {
			answer = fmt.Sprintf("%+v", *o)
		}
		fmt.Fprintf(&b, "\n%s client %d from %d: %+v -> %s", what, op.ClientId, op.Call, op.Input, answer)
	}
	placed := map[int]bool{}
	for i, n := range longest {
		if placed[n] = true; i >= len(longest)-tail {
			show("in order", ops[n])
		}
	}
	shown := 0
	for n, op := range ops {
		if !placed[n] && shown < tail {
			show("no place", op)
			shown++
		}
	}
	return b.String()
}
