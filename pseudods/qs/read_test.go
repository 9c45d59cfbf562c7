package qs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// answer is what a read in the background gave.
type answer struct {
	page *wire.QueuePage
	err  error
	took time.Duration
}

func (o *owner) goRead(ctx context.Context, wait time.Duration) <-chan answer {
	out := make(chan answer, 1)
	began := time.Now()
	go func() {
		page, err := o.service.Read(ctx, o.queue, o.last, 0, wait)
		out <- answer{page, err, time.Since(began)}
	}()
	synctest.Wait()
	return out
}

func TestLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		alice := r.newOwner(wire.QueueSettings{})
		g := r.newGroup(alice)

		waiting := alice.goRead(r.ctx, 30*time.Second)
		time.Sleep(10 * time.Second)
		g.send("hello")
		if got := <-waiting; got.err != nil || len(got.page.Entries) != 1 || !got.page.Empty || got.took != 10*time.Second {
			t.Fatalf("woken with %+v", got)
		}
		if got := <-alice.goRead(r.ctx, 30*time.Second); got.err != nil || len(got.page.Entries) != 1 || got.took != 0 {
			t.Fatalf("waited though there was an entry: %+v", got)
		}
		alice.wantMessages("hello")
		if got := <-alice.goRead(r.ctx, 30*time.Second); got.err != nil || !got.page.Empty || len(got.page.Entries) != 0 || got.took != 30*time.Second {
			t.Fatalf("nothing came: %+v", got)
		}
		if got := <-alice.goRead(r.ctx, time.Hour); got.err != nil || got.took != 55*time.Second {
			t.Fatalf("the ceiling: %+v", got)
		}

		older := alice.goRead(r.ctx, 30*time.Second)
		newer := alice.goRead(r.ctx, 30*time.Second)
		if got := <-older; !errors.Is(got.err, qs.ErrReplaced) {
			t.Fatalf("the older reader got %+v", got)
		}
		g.send("to the newer")
		if got := <-newer; got.err != nil || len(got.page.Entries) != 1 {
			t.Fatalf("the newer reader got %+v", got)
		}
		alice.wantMessages("to the newer")

		ctx, cancel := context.WithCancel(r.ctx)
		cancelled := alice.goRead(ctx, 30*time.Second)
		cancel()
		if got := <-cancelled; !errors.Is(got.err, context.Canceled) {
			t.Fatalf("cancelled: %+v", got)
		}
		deleted := alice.goRead(r.ctx, 30*time.Second)
		r.must(r.service.Delete(r.ctx, alice.queue))
		if got := <-deleted; !errors.Is(got.err, qs.ErrNotFound) || got.took != 0 {
			t.Fatalf("the queue was deleted: %+v", got)
		}

		bob := r.newOwner(wire.QueueSettings{})
		closing := bob.goRead(r.ctx, 30*time.Second)
		r.service.Close()
		r.service.Close()
		if got := <-closing; got.err != nil || got.took != 0 {
			t.Fatalf("the service closed: %+v", got)
		}
	})
}

// TestOneReaderWakes: a delivery wakes the reader of its queue and no other.
func TestOneReaderWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *qs.Config) { c.MaxReaders = 3 })
		var owners []*owner
		var waiting []<-chan answer
		for range 3 {
			o := r.newOwner(wire.QueueSettings{})
			owners = append(owners, o)
			waiting = append(waiting, o.goRead(r.ctx, 30*time.Second))
		}
		_, err := r.service.Read(r.ctx, r.newOwner(wire.QueueSettings{}).queue, 0, 0, time.Second)
		r.want(err, qs.ErrBusy)
		time.Sleep(time.Second)
		r.newGroup(owners[1]).send("hello")
		for n, w := range waiting {
			got := <-w
			want := 30 * time.Second
			if n == 1 {
				want = time.Second
			}
			if got.err != nil || got.took != want {
				t.Errorf("reader %d: %+v", n, got)
			}
		}
	})
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		alice := r.newOwner(wire.QueueSettings{})
		g := r.newGroup(alice)
		for n := range 300 { // more than a page
			g.send(fmt.Sprint(n))
		}
		type event struct {
			entries int
			empty   bool
			err     error
		}
		events := make(chan event, 100)
		listen := func(after uint64) {
			go func() {
				for page, err := range r.service.Stream(r.ctx, alice.queue, after) {
					if err != nil {
						events <- event{err: err}
						continue
					}
					events <- event{entries: len(page.Entries), empty: page.Empty}
				}
				events <- event{entries: -1}
			}()
			synctest.Wait()
		}
		var got []event
		take := func() []event {
			synctest.Wait()
			got = nil
			for len(events) > 0 {
				got = append(got, <-events)
			}
			return got
		}
		wantEvents := func(want ...event) {
			t.Helper()
			if !slices.Equal(take(), want) {
				t.Fatalf("events %v, want %v", got, want)
			}
		}
		listen(0)
		wantEvents(event{entries: 256}, event{entries: 44, empty: true})
		g.send("live")
		wantEvents(event{entries: 1, empty: true})
		time.Sleep(56 * time.Second)
		wantEvents(event{empty: true}) // a sign of life
		listen(301)
		got = take()
		replaced := slices.IndexFunc(got, func(e event) bool { return errors.Is(e.err, qs.ErrReplaced) })
		if len(got) != 3 || replaced < 0 {
			t.Fatalf("events %v after a second listener came", got)
		}
		r.service.Close()
		wantEvents(event{empty: true}, event{entries: -1})
		for range r.service.Stream(r.ctx, wire.QueueID{9}, 0) {
			break // the consumer may stop at any time
		}
	})
}

func TestPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		alice, quiet := r.newOwner(wire.QueueSettings{Push: []byte("alice's phone")}), r.newOwner(wire.QueueSettings{})
		g := r.newGroup(alice, quiet)
		wantPushes := func(want ...string) {
			t.Helper()
			if got := r.pushed.take(); !slices.Equal(got, want) {
				t.Fatalf("pushed %q, want %q", got, want)
			}
		}
		waiting := alice.goRead(r.ctx, 30*time.Second)
		g.send("somebody listens")
		<-waiting
		wantPushes()
		g.send("nobody listens")
		wantPushes("alice's phone")
		g.send("she was told")
		wantPushes()
		r.pushed.lost()
		g.send("she was not told after all")
		wantPushes("alice's phone")
		alice.read()
		g.send("she was there")
		wantPushes("alice's phone")
		_, err := r.service.Configure(r.ctx, &wire.ConfigureQueue{Queue: alice.queue, Settings: wire.QueueSettings{Version: 2}})
		r.must(err)
		alice.read()
		g.send("no more")
		wantPushes()
	})
}

// TestMix: deliveries are answered and readable when the window ends, whole, and
// in the order of each queue.
func TestMix(t *testing.T) {
	for _, window := range []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(c *qs.Config) { c.Mix = window })
			alice, bob := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{MaxEntries: 2})
			groups := []*group{r.newGroup(alice, bob), r.newGroup(alice, bob), r.newGroup(alice, bob)}
			reports := make(chan wire.DeliveryReport, len(groups))
			began := time.Now()
			for n, g := range groups {
				d := g.delivery(fmt.Append(nil, n))
				go func() {
					report, err := r.service.Deliver(r.ctx, g.domain, d)
					if err != nil {
						t.Error(err)
					}
					reports <- report
				}()
				synctest.Wait()
				time.Sleep(window / 10)
			}
			alice.wantMessages()
			full := 0
			for range groups {
				report := <-reports
				if report[0] != wire.Delivered {
					t.Errorf("report %v", report)
				}
				if report[1] == wire.Full {
					full++
				}
			}
			if took := time.Since(began); took != window {
				t.Errorf("answered after %v, the window is %v", took, window)
			}
			alice.wantMessages("0", "1", "2")
			bob.wantMessages("0", "1")
			if full != 1 {
				t.Errorf("%d of three deliveries found a queue of two full", full)
			}
			ctx, cancel := context.WithTimeout(r.ctx, window/2)
			defer cancel()
			_, err := r.service.Deliver(ctx, groups[0].domain, groups[0].delivery([]byte("given up")))
			r.want(err, context.DeadlineExceeded)
			time.Sleep(window)
			alice.wantMessages("given up") // it may still arrive, and did
		})
	}
}
