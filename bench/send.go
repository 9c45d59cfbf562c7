package bench

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// send measures one message at a time in an otherwise idle site: until its sender
// is answered, until a reader who waits has opened it, and what it reads and
// writes of the group. Only the recipients' list and the outbox may grow with the
// group.
//
// The baseline opens and seals all of the group for each message, and answers
// when each recipient's copy is stored.
func send(ctx context.Context, e *env) error {
	const size = 1 << 10
	for _, members := range []int{2, 10, 100, 1000} {
		if err := sendTo(ctx, e, members, size, sized(e, []int{60}, []int{400})[0]); err != nil {
			return err
		}
	}
	return nil
}

func sendTo(ctx context.Context, e *env, members, size, messages int) error {
	dir, remove, err := e.tempDir()
	if err != nil {
		return err
	}
	defer remove()
	s, err := newSite(dir)
	if err != nil {
		return err
	}
	defer s.close()
	crowds, err := s.newCrowds(1, members)
	if err != nil {
		return err
	}
	c := crowds[0]
	r := &listener{owner: c.owners[members-1], site: s}
	r.reader = seal.NewReader(r.owner.segment, r.owner.queue)
	if err := r.skip(ctx); err != nil {
		return err
	}
	var toSender, toReader []time.Duration
	for i := range messages + 1 {
		m, err := c.message(0, size)
		if err != nil {
			return err
		}
		received := r.listen(ctx)
		goal, start := s.delivered.Load()+int64(members), time.Now()
		if i == 1 { // the first message warmed up
			s.groups.take()
		}
		if err := s.accept(m); err != nil {
			return err
		}
		accepted := time.Since(start)
		got := <-received
		if got.err != nil {
			return got.err
		}
		if err := s.await(ctx, goal); err != nil {
			return err
		}
		if i > 0 {
			toSender, toReader = append(toSender, accepted), append(toReader, got.at.Sub(start))
		}
	}
	sum := s.groups.take()
	blob, err := c.blob()
	if err != nil {
		return err
	}
	baseline, err := e.peerSend(ctx, members, blob, size, min(messages, max(5, 500/members)))
	if err != nil {
		return err
	}
	for _, q := range []struct {
		name  string
		of    []time.Duration
		share float64
	}{
		{"send_latency_p50", toSender, 0.5}, {"send_latency_p99", toSender, 0.99},
		{"send_latency_reader_p50", toReader, 0.5}, {"send_latency_reader_p99", toReader, 0.99},
	} {
		e.emit(Result{Name: q.name, Members: members, PayloadBytes: size, Value: quantile(q.of, q.share), Unit: "ms", Baseline: quantile(baseline, q.share)})
	}
	n := float64(messages)
	e.emit(Result{Name: "send_state_bytes", Members: members, PayloadBytes: size, Value: float64(sum.octets) / n, Unit: "B/op", Baseline: float64(2 * len(blob))})
	e.emit(Result{Name: "send_records", Members: members, PayloadBytes: size, Value: float64(sum.records) / n, Unit: "records/op"})
	e.emit(Result{Name: "send_fanout_bytes", Members: members, PayloadBytes: size, Value: float64(sum.pages+sum.outbox) / n, Unit: "B/op",
		Baseline: float64(members * size)})
	return nil
}

// peerSend is the time of messages through a peer.
func (e *env) peerSend(ctx context.Context, members int, blob []byte, size, messages int) (out []time.Duration, err error) {
	p, done, err := e.newPeer()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := p.save(ctx, 0, blob); err != nil {
		return nil, err
	}
	payload := random(size)
	for range messages {
		start := time.Now()
		if err := p.message(ctx, 0, members, payload); err != nil {
			return nil, err
		}
		out = append(out, time.Since(start))
	}
	return out, nil
}

// quantile returns a quantile in milliseconds.
func quantile(d []time.Duration, share float64) float64 {
	d = slices.Sorted(slices.Values(d))
	return float64(d[min(int(share*float64(len(d))), len(d)-1)]) / float64(time.Millisecond)
}

// listener reads a queue as a member's client does.
type listener struct {
	*owner
	site   *site
	reader *seal.Reader
	after  uint64
}

// heard is when a message was open, or why not.
type heard struct {
	at  time.Time
	err error
}

// skip passes over what is there.
func (l *listener) skip(ctx context.Context) error {
	for {
		page, err := l.site.qs.Read(ctx, l.queue, l.after, 0, 0)
		if err != nil {
			return err
		}
		if n := len(page.Entries); n > 0 {
			l.after = page.Entries[n-1].Seq
		}
		if page.Empty {
			return nil
		}
	}
}

// listen waits for the next message and opens it.
func (l *listener) listen(ctx context.Context) <-chan heard {
	out := make(chan heard, 1)
	go func() {
		err := l.open(ctx)
		out <- heard{time.Now(), err}
	}()
	return out
}

func (l *listener) open(ctx context.Context) error {
	page, err := l.site.qs.Read(ctx, l.queue, l.after, 0, 30*time.Second)
	if err != nil {
		return err
	}
	opened := l.reader.Open(page)
	if len(opened) != 1 {
		return errors.New("a reader got another number of entries than one")
	}
	o := opened[0]
	if o.Err != nil {
		return o.Err
	}
	l.after = o.Seq
	payload := o.Item.Inline
	if o.Item.Ticket != nil {
		fetched, err := l.site.qs.Fetch(ctx, []wire.Ticket{*o.Item.Ticket})
		if err != nil {
			return err
		}
		payload = fetched[0]
	}
	entry, err := seal.OpenEntry(seal.DeliverySecret{Bytes: l.secret}, &o.Item.Entry)
	if err != nil {
		return err
	}
	_, err = seal.OpenPayload(entry.PayloadKey, payload)
	return err
}
