package ds

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// maxLimited is how many groups and leaves are remembered at once.
const maxLimited = 1 << 18

// limiter counts requests of groups and leaves by the generic cell rate
// algorithm: it remembers for each when it will have used up what it did so far.
// It lives in memory. A restart gives each a burst, which is less than what it
// would cost to write a record for each message.
type limiter struct {
	// mu guards until.
	mu    sync.Mutex
	until map[[16]byte]time.Time
}

func newLimiter() *limiter { return &limiter{until: map[[16]byte]time.Time{}} }

// groupKey and leafKey name what is limited. A leaf is its place and its
// signature key, so that who takes over the place of a removed member neither
// inherits nor escapes anything.
func groupKey(g wire.GroupID) (k [16]byte) {
	h := sha256.Sum256(g[:])
	copy(k[:], h[:])
	return k
}

// accessLimitKey is for what strangers may do, so that they use up nothing of
// what members may.
func accessLimitKey(g wire.GroupID) (k [16]byte) {
	h := sha256.Sum256(append(g[:], "access"...))
	copy(k[:], h[:])
	return k
}

func leafKey(g wire.GroupID, l mls.LeafIndex, signatureKey []byte) (k [16]byte) {
	b := append(g[:], byte(l>>24), byte(l>>16), byte(l>>8), byte(l))
	h := sha256.Sum256(append(b, signatureKey...))
	copy(k[:], h[:])
	return k
}

// userKey is for what users do beside their leaves: who rejoins has a new one each
// time.
func userKey(g wire.GroupID, authKey []byte) (k [16]byte) {
	h := sha256.Sum256(append(append(g[:], "user"...), authKey...))
	copy(k[:], h[:])
	return k
}

// take counts a request, or says how long to wait.
func (l *limiter) take(k [16]byte, limit Limit, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := l.until[k]
	if until.Before(now) {
		until = now
	}
	until = until.Add(limit.Every)
	if wait := until.Sub(now) - limit.Every*time.Duration(limit.Burst); wait > 0 {
		return wait
	}
	if len(l.until) >= maxLimited {
		for k, t := range l.until {
			if t.Before(now) {
				delete(l.until, k)
			}
		}
		if len(l.until) >= maxLimited {
			return limit.Every
		}
	}
	l.until[k] = until
	return 0
}
