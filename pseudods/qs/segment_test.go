package qs

import (
	"bytes"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestReadySegments: queues of one slot never get each other's key, one of them has
// the slot by the eighth entry, and none after its time.
func TestReadySegments(t *testing.T) {
	owner, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		t.Fatal(err)
	}
	cfg, began := &Config{SegmentAge: time.Hour}, time.Unix(0, 0)
	queues := []wire.QueueID{{1, 2, 3}, {1, 2, 4}} // the first two octets name the slot
	var segments []*segment
	for _, q := range queues {
		k, output, err := seal.NewSegment(owner.Public(), q)
		if err != nil {
			t.Fatal(err)
		}
		segments = append(segments, &segment{key: k, kemOutput: output, began: began})
	}
	r, item := new(ready), &wire.Item{Kind: wire.ItemOffer}
	for counter := range uint32(20) {
		for i, g := range segments {
			got, err := r.of(g, queues[i], counter).Seal(counter, item)
			if err != nil {
				t.Fatal(err)
			}
			want, err := g.key.Segment().Seal(counter, item)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("entry %d of queue %d: another key, %v", counter, i, err)
			}
		}
	}
	last := r.of(segments[1], queues[1], 1)
	if r.of(segments[1], queues[1], 2) != last {
		t.Error("made twice for the queue that has the slot")
	}
	if r.expire(cfg, began.Add(time.Hour-1)); r.of(segments[1], queues[1], 3) != last {
		t.Error("forgotten before its time")
	}
	if r.expire(cfg, began.Add(time.Hour)); r.of(segments[1], queues[1], 4) == last {
		t.Error("kept after its time")
	}
}
