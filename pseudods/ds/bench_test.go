package ds_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/grouptest"
)

// crowd makes a group of n members of whom only the first acts.
func (r *rig) crowd(n int) *client {
	a := r.found("user 0")
	for done := 1; done < n; {
		var some []*client
		for len(some) < 32 && done < n {
			some, done = append(some, r.person(fmt.Sprint("user ", done), "one.example")), done+1
		}
		r.ok(a.add(wire.OpAddUsers, some...))
	}
	return a
}

func largeRequests(c *ds.Config) { c.MaxRequest = 4 << 20 }

// forget empties the outbox without delivering.
func (r *rig) forget() {
	ctx := context.Background()
	for _, ref := range must(r.store.Waiting(ctx, ds.Ref{}, 1<<20)) {
		must(r.store.Done(ctx, ref.Group, ref.Lane, 1<<62))
	}
}

func benchmarkSizes(b *testing.B, step func(*client) []byte, after func(*client)) {
	for _, n := range []int{8, 64, 256} {
		b.Run(fmt.Sprint(n, "members"), func(b *testing.B) {
			r := newRig(b, largeRequests)
			a := r.crowd(n)
			var reads, writes grouptest.Traffic
			for b.Loop() {
				b.StopTimer()
				request := step(a)
				r.forget()
				r.store.Traffic()
				b.StartTimer()
				err := r.call(request, new(wire.Accepted))
				b.StopTimer()
				r.ok(err)
				after(a)
				rd, wr := r.store.Traffic()
				reads.Records, reads.Octets = reads.Records+rd.Records, reads.Octets+rd.Octets
				writes.Records, writes.Octets = writes.Records+wr.Records, writes.Octets+wr.Octets
				b.StartTimer()
			}
			n := float64(b.N)
			b.ReportMetric(float64(reads.Records)/n, "recordsread/op")
			b.ReportMetric(float64(reads.Octets)/n, "octetsread/op")
			b.ReportMetric(float64(writes.Records)/n, "recordswritten/op")
			b.ReportMetric(float64(writes.Octets)/n, "octetswritten/op")
		})
	}
}

// BenchmarkSend: the service's time for an application message of 100 octets,
// and the records and octets that it reads and writes, of which the message to
// all members is the largest part.
func BenchmarkSend(b *testing.B) {
	benchmarkSizes(b, func(c *client) []byte { return c.sign(c.sendRequest(string(make([]byte, 100)))) }, func(*client) {})
}

// BenchmarkCommit: the same for a commit that replaces the committer's keys.
func BenchmarkCommit(b *testing.B) {
	benchmarkSizes(b, func(c *client) []byte {
		return c.request(wire.OpUpdate, c.commitBody(group.CommitOptions{ForcePath: true}), c.leafAuth(), stateKey(c.Group))
	}, func(c *client) { must(c.Merge()) })
}

// TestMessageTouchesFewRecords: how many records a message touches grows with
// the number of pages alone, and a commit's with the height of the tree.
func TestMessageTouchesFewRecords(t *testing.T) {
	r := newRig(t, largeRequests)
	a := r.crowd(200)
	r.forget()
	r.store.Traffic()
	r.ok(a.send("x"))
	reads, writes := r.store.Traffic()
	if pages := 4; reads.Records > pages+6 || writes.Records > 3 {
		t.Errorf("a message read %d records and wrote %d", reads.Records, writes.Records)
	}
	r.ok(a.commit(wire.OpUpdate, nil))
	reads, writes = r.store.Traffic()
	if height := 8; reads.Records > 12*height || writes.Records > 4*height {
		t.Errorf("a commit read %d records and wrote %d", reads.Records, writes.Records)
	}
}
