package powerloss

import (
	"math/rand/v2"
	"sync"
)

// sector is what a disk writes as a whole or not at all.
const sector = 512

// cache is a disk with a volatile write cache.
type cache struct {
	// mu guards all that follows.
	mu sync.Mutex
	// durable is what a loss of power leaves at least.
	durable []byte
	// seen is what reads return.
	seen []byte
	// pending are the writes since the last flush, in order.
	pending []write
	writes  int
	flushes int
	// lies makes the disk ignore flushes, and say that it has done them.
	lies bool
}

type write struct {
	at   int64
	data []byte
}

func newCache(size int64, lies bool) *cache {
	return &cache{durable: make([]byte, size), seen: make([]byte, size), lies: lies}
}

func (c *cache) read(b []byte, at int64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at >= int64(len(c.seen)) {
		return 0
	}
	return copy(b, c.seen[at:])
}

func (c *cache) write(b []byte, at int64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at >= int64(len(c.seen)) {
		return 0
	}
	n := copy(c.seen[at:], b)
	c.pending = append(c.pending, write{at, append([]byte(nil), b[:n]...)})
	c.writes++
	return n
}

func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushes++
	if c.lies {
		return
	}
	for _, w := range c.pending {
		copy(c.durable[w.at:], w.data)
	}
	c.pending = nil
}

// cut returns what a loss of power leaves now, if each sector of each write since
// the last flush survives with this probability.
func (c *cache) cut(survive float64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := make([]byte, len(c.durable))
	copy(left, c.durable)
	for _, w := range c.pending {
		for from := 0; from < len(w.data); {
			at := w.at + int64(from)
			to := min(from+sector-int(at%sector), len(w.data))
			if rand.Float64() < survive {
				copy(left[at:], w.data[from:to])
			}
			from = to
		}
	}
	return left
}
