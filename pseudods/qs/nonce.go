package qs

import (
	"errors"
	"sync"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// maxNonces are remembered of each of two windows.
const maxNonces = 1 << 20

// nonces remembers the nonces of signed requests until these expire, in two
// windows of that length, or shorter ones if there are very many: who has a queue can
// sign any number, and a bound that refused them would refuse everybody's. It is empty
// after a restart. Both are safe as every request that changes anything is idempotent
// or carries a version.
type nonces struct {
	window time.Duration
	most   int

	// mu guards what follows.
	mu         sync.Mutex
	young, old map[[wire.NonceSize]byte][32]byte
	since      time.Time
}

var errReplayed = errors.New("qs: nonce used before")

func newNonces(window time.Duration) *nonces { return &nonces{window: window, most: maxNonces} }

// use notes the nonce of a request and fails with errReplayed if another had it.
// The same request may come again if again is true: it is a retry.
func (n *nonces) use(nonce [wire.NonceSize]byte, request [32]byte, again bool, now time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.young == nil || len(n.young) >= n.most || now.Sub(n.since) >= n.window {
		n.old = n.young
		if now.Sub(n.since) >= 2*n.window {
			n.old = nil
		}
		n.young, n.since = make(map[[wire.NonceSize]byte][32]byte), now
	}
	for _, m := range []map[[wire.NonceSize]byte][32]byte{n.young, n.old} {
		if by, ok := m[nonce]; ok {
			if again && by == request {
				return nil
			}
			return errReplayed
		}
	}
	n.young[nonce] = request
	return nil
}
