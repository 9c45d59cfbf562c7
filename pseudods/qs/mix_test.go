package qs

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestShuffle: a permutation, in the order of each queue, and not always the
// same.
func TestShuffle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var queues []wire.QueueID
	for i := range 200 {
		queues = append(queues, wire.QueueID{byte(i % 37)})
	}
	first := shuffle(r, queues)
	if slices.Equal(first, shuffle(r, queues)) || slices.IsSorted(first) {
		t.Error("the order is not random")
	}
	seen := make([]bool, len(queues))
	last := map[wire.QueueID]int{}
	for _, i := range first {
		if seen[i] {
			t.Fatalf("%d comes twice", i)
		}
		if before, ok := last[queues[i]]; ok && before > i {
			t.Fatalf("%d comes after %d of the same queue", i, before)
		}
		seen[i], last[queues[i]] = true, i
	}
	// Where an entry of a queue of one lands is spread over all places.
	places := map[int]bool{}
	for range 200 {
		places[slices.Index(shuffle(r, []wire.QueueID{{1}, {2}, {3}, {4}}), 0)] = true
	}
	if len(places) != 4 {
		t.Errorf("the first entry landed in %d places of 4", len(places))
	}
}
