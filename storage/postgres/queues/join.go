package queues

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/storage/postgres"
)

// The bounds of a joiner.
const (
	// maxJoined bounds a call of several requests, so that none waits for long for the
	// entries of others.
	maxJoined = 1024
	// A call that is under way is not waited for if so many entries are, unless there
	// are maxCalls.
	enoughToJoin = 512
	maxCalls     = 4
)

// joiner makes one call of the requests to one shard that came while the last call was
// under way: a call has costs of its own, a commit among them, and a crowd shares them.
// A request that nobody is before goes out at once.
type joiner struct {
	call    func([]sending) error // sends them, and sets their outcomes
	timeout time.Duration         // for which a request waits to be sent

	// mu guards what follows and the fields of requests, but for done.
	mu      sync.Mutex
	waiting []*request
	entries int // that wait
	calls   int // under way
}

// request is what an [appending] has for one shard.
type request struct {
	*appending
	left []int // which entries were not sent
	sent int   // how many were and have no answer
	err  error
	done chan struct{} // closed when all is answered, or err is set and nothing under way
}

// sending is an entry in a call.
type sending struct {
	of *request
	i  int
}

func (s sending) entry() *qs.Append { return &s.of.entries[s.i] }

// errWaited: the calls before took all the time that there was.
var errWaited = fmt.Errorf("%w: others before it", postgres.ErrUnavailable)

// submit begins a request for entries of different queues, of which there is at least
// one.
func (j *joiner) submit(a *appending, part []int) *request {
	r := &request{appending: a, left: part, done: make(chan struct{})}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiting = append(j.waiting, r)
	j.entries += len(part)
	if j.calls == 0 || j.entries >= enoughToJoin && j.calls < maxCalls {
		j.calls++
		go j.serve()
	}
	return r
}

// wait returns when the request is answered. What was not sent when the context or the
// time ends is withdrawn, and the request fails: others may be before it that take all
// the time they have, one after the other.
func (j *joiner) wait(ctx context.Context, r *request) error {
	waiting, cancel := context.WithTimeoutCause(ctx, j.timeout, errWaited)
	defer cancel()
	select {
	case <-r.done:
		return r.err
	case <-waiting.Done():
	}
	j.mu.Lock()
	if len(r.left) > 0 {
		j.drop(r)
		if r.err = context.Cause(waiting); r.sent == 0 {
			close(r.done)
		}
	}
	j.mu.Unlock()
	<-r.done
	return r.err
}

// drop has nothing more be sent of a request. The caller holds mu.
func (j *joiner) drop(r *request) {
	j.entries -= len(r.left)
	r.left = nil
	j.waiting = slices.DeleteFunc(j.waiting, func(w *request) bool { return w == r })
}

// serve makes calls until there is nothing to send. What the server refuses may be of
// one request: then each has a call of its own.
func (j *joiner) serve() {
	for {
		call := j.take()
		if len(call) == 0 {
			return
		}
		err := j.call(call)
		if parts := apart(call); errors.Is(err, postgres.ErrRefused) && len(parts) > 1 {
			for _, part := range parts {
				j.settle(part, j.call(part))
			}
			continue
		}
		j.settle(call, err)
	}
}

// apart returns what each request has in a call.
func apart(call []sending) map[*request][]sending {
	parts := map[*request][]sending{}
	for _, s := range call {
		parts[s.of] = append(parts[s.of], s)
	}
	return parts
}

// take returns the entries of the next call, in the order of their queues. Where several
// requests have one for the same queue, that of the first goes, and the others come
// first in a later call. Requests of another day have a call of their own.
func (j *joiner) take() []sending {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []sending
	for _, r := range j.waiting {
		if len(all) > 0 && (r.today != all[0].of.today || len(all)+len(r.left) > maxJoined) {
			break
		}
		for _, i := range r.left {
			all = append(all, sending{r, i})
		}
		r.left = nil
	}
	slices.SortStableFunc(all, func(a, b sending) int { return bytes.Compare(a.entry().Queue[:], b.entry().Queue[:]) })
	call := all[:0]
	for _, s := range all {
		if n := len(call); n > 0 && call[n-1].entry().Queue == s.entry().Queue {
			s.of.left = append(s.of.left, s.i)
			continue
		}
		call = append(call, s)
		s.of.sent++
	}
	j.entries -= len(call)
	j.waiting = slices.DeleteFunc(j.waiting, func(r *request) bool { return len(r.left) == 0 })
	if len(call) == 0 {
		j.calls--
	}
	return call
}

// settle notes the answer to entries. Of a request that failed nothing more is sent.
func (j *joiner) settle(part []sending, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range part {
		if s.of.sent--; err != nil && s.of.err == nil {
			s.of.err = err
			j.drop(s.of)
		}
		if s.of.sent == 0 && len(s.of.left) == 0 {
			close(s.of.done)
		}
	}
}
