package queues

import (
	"math/rand/v2"
	"testing"
)

// TestRecent compares with a map. What was used within a generation is there, and
// nothing that is there is out of date.
func TestRecent(t *testing.T) {
	var c recent[uint32, uint64]
	want := map[uint32]uint64{}
	r := rand.New(rand.NewPCG(1, 2))
	for n := range uint64(4 * cacheSize) {
		k := r.Uint32N(3 * cacheSize)
		v, ok := c.get(k)
		if w, put := want[k]; ok && (!put || v != w) {
			t.Fatalf("%d: %d, which is %d, %t", k, v, w, put)
		}
		if r.IntN(16) == 0 {
			c.delete(k)
			delete(want, k)
			continue
		}
		if r.IntN(2) == 0 {
			k = r.Uint32N(3 * cacheSize) // not the one that was looked for
		}
		c.put(k, n)
		want[k] = n
		if v, ok := c.get(k); !ok || v != n {
			t.Fatalf("%d: %d, %t, want %d", k, v, ok, n)
		}
	}
	if len(c.young.at) > cacheSize || len(c.old.at) > cacheSize || len(c.old.at) == 0 {
		t.Fatalf("generations of %d and %d", len(c.young.at), len(c.old.at))
	}
	const used = 4 * cacheSize
	for i := range uint32(4 * cacheSize) {
		if i%(cacheSize/2) == 0 {
			c.put(used, 1)
		}
		if c.put(used+1+i, 2); i%(cacheSize/2) == cacheSize/4 {
			if v, ok := c.get(used); !ok || v != 1 {
				t.Fatal("what is used does not stay")
			}
		}
	}
}
