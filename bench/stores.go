package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// Designs that other services have, on PostgreSQL: a copy of a message and a
// notification in a transaction for each recipient; and the same with all of a group
// in one encrypted value, which is opened and sealed for each message.
const (
	peerCopies = "peer-copies"
	peerBlob   = "peer-blob"
)

// stores measures each store by the same work, and in the same rounds the designs
// of others where there is PostgreSQL.
func stores(ctx context.Context, e *env) error {
	for _, l := range sized(e, []load{
		{10, 32, []int{1 << 10}, 3_200},
		{100, 16, []int{1 << 10}, 16_000},
		{1000, 2, []int{1 << 10}, 16_000},
	}, []load{
		{10, 64, []int{1 << 10}, 25_600},
		{100, 64, []int{1 << 10}, 128_000},
		{1000, 4, []int{1 << 10}, 128_000},
	}) {
		if err := e.contestDeliveries(ctx, &l); err != nil {
			return err
		}
	}
	for _, f := range []func(context.Context) error{e.contestAppends, e.contestReaders, e.contestCommits, e.contestNullifiers} {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}

// booth is a site on an engine.
type booth struct {
	engine
	place place
	*site
	remove func()
}

// booths opens a site on each engine. The returned function closes them.
func (e *env) booths() (all []*booth, closeAll func(), err error) {
	closeAll = func() {
		for _, b := range all {
			if b.site != nil {
				b.site.close()
			}
			b.place.close()
			b.remove()
		}
	}
	for _, x := range e.engines {
		b := &booth{engine: x}
		var dir string
		if dir, b.remove, err = e.tempDir(); err != nil {
			return nil, closeAll, err
		}
		if b.place, err = x.newPlace(dir); err != nil {
			b.remove()
			return nil, closeAll, err
		}
		all = append(all, b)
		if b.site, err = b.place.newSite(); err != nil {
			b.site = nil
			return nil, closeAll, err
		}
	}
	return all, closeAll, nil
}

// contestDeliveries measures the whole path of messages, from the requests of the
// senders to the last entry in a queue; what parts took is until a sender was
// answered.
func (e *env) contestDeliveries(ctx context.Context, l *load) error {
	all, done, err := e.booths()
	defer done()
	if err != nil {
		return err
	}
	var contenders []contender
	var blobs [][]byte
	for _, b := range all {
		crowds, err := b.newCrowds(l.groups, l.members)
		if err != nil {
			return err
		}
		if _, err := l.round(ctx, b.site, crowds, l.payloads[0], 1); err != nil { // opens addresses and begins segments
			return err
		}
		contenders = append(contenders, contender{b.name(), b.processor, func() (func() (int, []time.Duration, error), error) {
			return l.deliver(ctx, b.site, crowds)
		}})
		if blobs == nil {
			blob, err := crowds[0].blob()
			if err != nil {
				return err
			}
			blobs = slices.Repeat([][]byte{blob}, l.groups)
		}
	}
	if e.server != nil {
		url, name, err := e.server.database()
		if err != nil {
			return err
		}
		p := &postgresPlace{server: e.server, url: url, database: name}
		defer p.close()
		peer, err := newPostgresPeer(ctx, p, blobs)
		if err != nil {
			return err
		}
		contenders = append(contenders,
			contender{peerCopies, e.server.processor, l.asPeer(ctx, peer.copies)},
			contender{peerBlob, e.server.processor, l.asPeer(ctx, peer.message)})
	}
	return e.contest(Result{Name: "store_deliveries", Members: l.members, PayloadBytes: l.payloads[0]}, "delivery", "deliveries", peerCopies, contenders)
}

// deliver prepares a round, in which each group's sender sends its next message when
// the one before was accepted.
func (l *load) deliver(ctx context.Context, s *site, crowds []*crowd) (func() (int, []time.Duration, error), error) {
	messages := max(1, l.deliveries/l.members/l.groups)
	requests, err := l.requests(crowds, l.payloads[0], messages)
	if err != nil {
		return nil, err
	}
	return func() (int, []time.Duration, error) {
		total := len(crowds) * messages * l.members
		goal := s.delivered.Load() + int64(total)
		took := make([]time.Duration, len(crowds)*messages)
		err := each(len(crowds), len(crowds), func(i int) error {
			for k, m := range requests[i] {
				start := time.Now()
				if err := s.accept(m); err != nil {
					return err
				}
				took[i*messages+k] = time.Since(start)
			}
			return nil
		})
		if err == nil {
			err = s.await(ctx, goal)
		}
		return total, took, err
	}, nil
}

// asPeer has as many senders deliver in a peer's way for a second, each message to
// at most 32 recipients, of which each is a step of its own. What is under way then
// is finished; how long a message takes is scaled to all of its recipients.
func (l *load) asPeer(ctx context.Context, deliver func(ctx context.Context, group, recipients int, payload []byte) error) func() (func() (int, []time.Duration, error), error) {
	payload, recipients := random(l.payloads[0]), min(l.members, 32)
	return func() (func() (int, []time.Duration, error), error) {
		return func() (int, []time.Duration, error) {
			var mu sync.Mutex // guards n and took
			var n int
			var took []time.Duration
			begun := time.Now()
			err := each(l.groups, l.groups, func(group int) error {
				for time.Since(begun) < time.Second {
					start := time.Now()
					if err := deliver(ctx, group, recipients, payload); err != nil {
						return err
					}
					whole := time.Since(start) * time.Duration(l.members) / time.Duration(recipients)
					mu.Lock()
					n, took = n+recipients, append(took, whole)
					mu.Unlock()
				}
				return nil
			})
			return n, took, err
		}, nil
	}
}

// contestAppends measures the store of queues by itself: writers add an entry to
// each of 100 queues in one call.
func (e *env) contestAppends(ctx context.Context) error {
	const writers, queues, octets = 8, 100, 300
	calls := sized(e, []int{20}, []int{80})[0]
	all, done, err := e.booths()
	defer done()
	if err != nil {
		return err
	}
	var contenders []contender
	for _, b := range all {
		owners, err := b.newOwners(writers * queues)
		if err != nil {
			return err
		}
		number := uint64(0)
		round := func(calls int) (func() (int, []time.Duration, error), error) {
			batches := make([][]qs.Append, writers*calls)
			for i := range batches {
				for k, o := range owners[i%writers*queues : (i%writers+1)*queues] {
					batches[i] = append(batches[i], qs.Append{Queue: o.queue, Mark: qs.Mark{byte(k), 1}, Number: number + uint64(i/writers) + 1,
						Segment: wire.SegmentID{1}, KEMOutput: random(32), Counter: uint32(number), Ciphertext: random(octets)})
				}
			}
			number += uint64(calls)
			today := qs.Day(time.Now().Unix() / 86400)
			return func() (int, []time.Duration, error) {
				took := make([]time.Duration, len(batches))
				err := each(len(batches), writers, func(i int) error {
					start := time.Now()
					appended, err := b.store.Append(ctx, today, batches[i])
					for _, a := range appended {
						if err == nil && !a.Fresh {
							err = errors.New("an entry was not added")
						}
					}
					took[i] = time.Since(start)
					return err
				})
				return len(batches) * queues, took, err
			}, nil
		}
		first, err := round(1) // begins segments
		if err != nil {
			return err
		}
		if _, _, err := first(); err != nil {
			return err
		}
		contenders = append(contenders, contender{b.name(), b.processor, func() (func() (int, []time.Duration, error), error) { return round(calls) }})
	}
	return e.contest(Result{Name: "store_appends", PayloadBytes: octets}, "entry", "entries", "", contenders)
}

// contestReaders measures readers who take a page, and then who acknowledge what
// they read.
func (e *env) contestReaders(ctx context.Context) error {
	const members, size = 8, 256
	messages := sized(e, []int{256}, []int{1024})[0]
	l := load{members: members, groups: 4, payloads: []int{size}, deliveries: members * messages}
	all, done, err := e.booths()
	defer done()
	if err != nil {
		return err
	}
	for _, ack := range []bool{false, true} {
		var contenders []contender
		for _, b := range all {
			crowds, err := b.newCrowds(l.groups, l.members)
			if err != nil {
				return err
			}
			var owners []*owner
			for _, c := range crowds {
				owners = append(owners, c.owners...)
			}
			var pages [][]page
			contenders = append(contenders, contender{b.name(), b.processor, func() (func() (int, []time.Duration, error), error) {
				if !ack { // what was read stays
					if _, _, err := b.acknowledge(ctx, owners, pages); err != nil {
						return nil, err
					}
				}
				send, err := l.deliver(ctx, b.site, crowds)
				if err == nil {
					_, _, err = send()
				}
				if err != nil {
					return nil, err
				}
				pages, err = b.pages(ctx, owners)
				return func() (int, []time.Duration, error) {
					if ack {
						return b.acknowledge(ctx, owners, pages)
					}
					return b.readAgain(ctx, owners, pages)
				}, err
			}})
		}
		name := map[bool]string{false: "store_reads", true: "store_acknowledgements"}[ack]
		if err := e.contest(Result{Name: name, PayloadBytes: size}, "entry", "entries", "", contenders); err != nil {
			return err
		}
	}
	return nil
}

// page is the numbers before a page and of its last entry.
type page struct {
	after, last uint64
	entries     int
}

// pages reads queues to their ends.
func (s *site) pages(ctx context.Context, owners []*owner) ([][]page, error) {
	out := make([][]page, len(owners))
	return out, each(len(owners), len(owners), func(i int) error {
		for after := uint64(0); ; {
			p, err := s.qs.Read(ctx, owners[i].queue, after, drained, 0)
			if err != nil || len(p.Entries) == 0 {
				return err
			}
			last := p.Entries[len(p.Entries)-1].Seq
			out[i] = append(out[i], page{after, last, len(p.Entries)})
			after = last
		}
	})
}

// readAgain reads pages as they were read before.
func (s *site) readAgain(ctx context.Context, owners []*owner, pages [][]page) (int, []time.Duration, error) {
	return eachPage(owners, pages, func(o *owner, p page) error {
		read, err := s.qs.Read(ctx, o.queue, p.after, drained, 0)
		if err == nil && len(read.Entries) != p.entries {
			err = errors.New("a page has another number of entries when read again")
		}
		return err
	})
}

func (s *site) acknowledge(ctx context.Context, owners []*owner, pages [][]page) (int, []time.Duration, error) {
	return eachPage(owners, pages, func(o *owner, p page) error { return s.qs.Ack(ctx, o.queue, p.last, nil) })
}

// eachPage calls f for the pages of all owners side by side.
// Without pages it does nothing.
func eachPage(owners []*owner, pages [][]page, f func(*owner, page) error) (n int, took []time.Duration, err error) {
	of := make([][]time.Duration, len(owners))
	if len(pages) == 0 {
		return 0, nil, nil
	}
	err = each(len(owners), len(owners), func(i int) error {
		for _, p := range pages[i] {
			start := time.Now()
			if err := f(owners[i], p); err != nil {
				return err
			}
			of[i] = append(of[i], time.Since(start))
		}
		return nil
	})
	for i, t := range of {
		took = append(took, t...)
		for _, p := range pages[i] {
			n += p.entries
		}
	}
	return n, took, err
}

// contestCommits measures commits by which members of groups of 10 renew their
// keys. The members have no queues, so that fan-out is not part of it, and the
// commits are made before.
func (e *env) contestCommits(ctx context.Context) error {
	const members, groups = 10, 16
	times := sized(e, []int{8}, []int{32})[0]
	all, done, err := e.booths()
	defer done()
	if err != nil {
		return err
	}
	var contenders []contender
	for _, b := range all {
		crowds := make([]*crowd, groups)
		err := each(groups, 0, func(i int) (err error) {
			if crowds[i], err = b.newCrowd(nil); err != nil {
				return err
			}
			return crowds[i].grow(members - 1)
		})
		if err != nil {
			return err
		}
		contenders = append(contenders, contender{b.name(), b.processor, func() (func() (int, []time.Duration, error), error) {
			requests, err := updates(crowds, times)
			return func() (int, []time.Duration, error) {
				took := make([]time.Duration, groups*times)
				err := each(groups, groups, func(i int) error {
					for k, r := range requests[i] {
						start := time.Now()
						if err := b.call(r, new(wire.Accepted)); err != nil {
							return err
						}
						took[i*times+k] = time.Since(start)
					}
					return nil
				})
				return len(took), took, err
			}, err
		}})
	}
	return e.contest(Result{Name: "store_commits", Members: members}, "commit", "commits", "", contenders)
}

// updates makes commits that follow one another, by members in turn.
func updates(crowds []*crowd, times int) ([][][]byte, error) {
	requests := make([][][]byte, len(crowds))
	return requests, each(len(crowds), 0, func(i int) error {
		for k := range times {
			h, err := crowds[i].update(mls.LeafIndex(k % len(crowds[i].keys)))
			if err != nil {
				return err
			}
			encoded, err := mls.Marshal(h.request)
			if err != nil {
				return err
			}
			if err := crowds[i].follow(h); err != nil {
				return err
			}
			requests[i] = append(requests[i], encoded)
		}
		return nil
	})
}

// contestNullifiers measures how many tokens are bound to their requests, which
// were verified before.
func (e *env) contestNullifiers(ctx context.Context) error {
	n := sized(e, []int{2_000}, []int{10_000})[0]
	m, err := newMint()
	if err != nil {
		return err
	}
	payments, err := m.payments(rounds * n)
	if err != nil {
		return err
	}
	all, done, err := e.booths()
	defer done()
	if err != nil {
		return err
	}
	var contenders []contender
	for _, b := range all {
		l, err := m.ledger(ctx, b.place)
		if err != nil {
			return err
		}
		left := payments
		contenders = append(contenders, contender{b.name(), b.processor, func() (func() (int, []time.Duration, error), error) {
			some := left[:n]
			left = left[n:]
			return func() (int, []time.Duration, error) {
				took := make([]time.Duration, n)
				err := each(n, redemptions, func(i int) error {
					start := time.Now()
					outcome, err := some[i].Spend(ctx, l, tokens.RequestDigest{byte(i), byte(i >> 8), byte(i >> 16)})
					if err == nil && outcome != tokens.Fresh {
						err = errors.New("a token is spent before")
					}
					took[i] = time.Since(start)
					return err
				})
				return n, took, err
			}, nil
		}})
	}
	return e.contest(Result{Name: "store_nullifiers"}, "token", "tokens", "", contenders)
}

// payments are of one token each, verified.
func (m *mint) payments(n int) ([]tokens.Payment, error) {
	if err := m.issue(n); err != nil {
		return nil, err
	}
	out := make([]tokens.Payment, n)
	return out, each(n, 0, func(i int) (err error) {
		out[i], err = m.till.Verify("send", m.made[i:i+1])
		return err
	})
}

// ledger opens a ledger for the tokens.
func (m *mint) ledger(ctx context.Context, p place) (tokens.Ledger, error) {
	key, err := tokens.NewNullifierKey(secret.New(random(32)))
	if err != nil {
		return nil, err
	}
	l, err := p.newLedger(key)
	if err != nil {
		return nil, err
	}
	return l, l.OpenEpoch(ctx, tokens.Epoch{KeyID: m.want.Key.ID(), Capacity: 1 << 40})
}
