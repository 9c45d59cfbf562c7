package qs

import (
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestNoncesOfOne: whoever makes requests without end keeps nobody else from making
// one, and what was used last is still refused.
func TestNoncesOfOne(t *testing.T) {
	n, now := newNonces(time.Minute), time.Now()
	n.most = 4
	name := func(i int) (nonce [wire.NonceSize]byte) {
		nonce[0] = byte(i)
		return nonce
	}
	for i := range 100 {
		if err := n.use(name(i), [32]byte{1}, true, now); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	for i := 96; i < 100; i++ {
		if err := n.use(name(i), [32]byte{2}, true, now); !errors.Is(err, errReplayed) {
			t.Errorf("another request with nonce %d: %v", i, err)
		}
	}
	if got := len(n.young) + len(n.old); got > 2*n.most {
		t.Errorf("%d nonces are remembered", got)
	}
}
