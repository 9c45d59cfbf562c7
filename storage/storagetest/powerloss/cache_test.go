package powerloss

import (
	"bytes"
	"testing"
)

func TestCache(t *testing.T) {
	const size = 16 * sector
	fill := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	c := newCache(size, false)
	c.write(fill(1, 4*sector), sector/2)
	c.flush()
	c.write(fill(2, 8*sector), 2*sector)
	got := make([]byte, size)
	if n := c.read(got, 0); n != size || got[2*sector] != 2 || got[sector/2] != 1 || got[0] != 0 {
		t.Fatalf("read %d: %v", n, got)
	}
	if left := c.cut(1); !bytes.Equal(left, got) {
		t.Fatal("all survives, and is not what was written")
	}
	none := c.cut(0)
	if none[2*sector] != 1 || none[5*sector] != 0 || none[sector/2] != 1 {
		t.Fatal("nothing survives, and what was flushed is gone, or what was not is there")
	}
	mixtures := map[string]bool{}
	for range 100 {
		left, mixture := c.cut(0.5), ""
		for s := 2; s < 10; s++ {
			b := left[s*sector : (s+1)*sector]
			switch {
			case bytes.Equal(b, fill(2, sector)):
				mixture += "2"
			case bytes.Equal(b, none[s*sector:(s+1)*sector]):
				mixture += "-"
			default:
				t.Fatal("a sector is torn")
			}
		}
		mixtures[mixture] = true
	}
	if len(mixtures) < 10 {
		t.Fatalf("%d mixtures", len(mixtures))
	}
	liar := newCache(size, true)
	liar.write(fill(1, sector), 0)
	liar.flush()
	if liar.cut(0)[0] != 0 {
		t.Fatal("a disk that ignores flushes kept something")
	}
	if n := c.write(fill(1, sector), size-10) + c.write(fill(1, sector), size); n != 10 {
		t.Fatalf("%d octets written at the end", n)
	}
}
