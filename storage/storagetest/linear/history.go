package linear

import (
	"math"
	"sync"

	"github.com/anishathalye/porcupine"
)

// History records calls of type I and their answers of type O. It may be used
// concurrently.
type History[I, O any] struct {
	mu    sync.Mutex
	clock int64
	calls []*Call[I, O]
}

// Call is a call that has begun.
type Call[I, O any] struct {
	history    *History[I, O]
	client     int
	input      I
	output     *O
	begun, end int64
	dropped    bool
}

// Begin records that a client, counted from 0, is about to make a call. It stays
// open until it is answered or dropped.
func (h *History[I, O]) Begin(client int, input I) *Call[I, O] {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	c := &Call[I, O]{history: h, client: client, input: input, begun: h.clock, end: math.MaxInt64}
	h.calls = append(h.calls, c)
	return c
}

// Answer records the call's answer. A call that is repeated until it is answered
// may be recorded as one, if repeating it is to have no effect.
func (c *Call[I, O]) Answer(output O) {
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	c.history.clock++
	c.output, c.end = &output, c.history.clock
}

// Drop forgets a call that is known to have had no effect.
func (c *Call[I, O]) Drop() {
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	c.dropped = true
}

// SeenBy tells of an open call what was found out since: that its effect was seen
// by a call that was answered, so that it happened before that ended. A call that
// began only after that had no effect, and is dropped. It narrows the search.
func (c *Call[I, O]) SeenBy(other *Call[I, O]) {
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	if other.end < c.begun {
		c.dropped = true
	}
	c.end = min(c.end, other.end)
}

// partitions returns the operations by partition. Open ones end last of all.
func (h *History[I, O]) partitions(of func(I) string) map[string][]porcupine.Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string][]porcupine.Operation{}
	for _, c := range h.calls {
		if c.dropped {
			continue
		}
		p := of(c.input)
		out[p] = append(out[p], porcupine.Operation{ClientId: c.client, Input: c.input, Call: c.begun, Output: c.output, Return: c.end})
	}
	return out
}
