package bench

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// sizes measures what things take in each store, each in a store of its own with
// many of them: in PostgreSQL tables and indices after a vacuum, in the embedded
// store all files after it is closed.
//
// Messages are of 1 KiB. One to a group of 100 and one to a group of 2 differ by 98
// entries, which tells entries from payloads.
func sizes(ctx context.Context, e *env) error {
	m, err := newMint()
	if err != nil {
		return err
	}
	n := sized(e, []int{5_000}, []int{30_000})[0]
	payments, err := m.payments(n)
	if err != nil {
		return err
	}
	for _, x := range e.engines {
		for _, f := range []func(context.Context, engine) error{e.sizeOfGroups, e.sizeOfQueues, e.sizeOfMessages, e.sizeOfKeyPackages} {
			if err := f(ctx, x); err != nil {
				return err
			}
		}
		tokens, err := e.stored(x, "ledger", func(p place) error { return m.spendAll(ctx, p, nil) }, func(p place) error { return m.spendAll(ctx, p, payments) })
		if err != nil {
			return err
		}
		e.emit(Result{Name: "size_token", Store: x.name(), Value: tokens / float64(n), Unit: "B"})
	}
	return nil
}

// stored is by how much a store grows by what fill does beside begin, which opens
// it, in octets. What an empty store takes is so left out.
func (e *env) stored(x engine, store string, begin, fill func(place) error) (float64, error) {
	empty, err := e.octets(x, store, begin)
	if err != nil {
		return 0, err
	}
	full, err := e.octets(x, store, fill)
	return full - empty, err
}

// octets is what a store takes that is opened, filled and closed.
func (e *env) octets(x engine, store string, fill func(place) error) (float64, error) {
	dir, remove, err := e.tempDir()
	if err != nil {
		return 0, err
	}
	defer remove()
	p, err := x.newPlace(dir)
	if err != nil {
		return 0, err
	}
	if err := fill(p); err != nil {
		p.close()
		return 0, err
	}
	if err := p.close(); err != nil {
		return 0, err
	}
	octets, err := p.size(store)
	return float64(octets), err
}

// storedBySite is by how much a store grows by what a site does.
func (e *env) storedBySite(x engine, store string, fill func(*site) error) (float64, error) {
	with := func(fill func(*site) error) func(place) error {
		return func(p place) error {
			s, err := p.newSite()
			if err != nil {
				return err
			}
			defer s.close()
			return fill(s)
		}
	}
	return e.stored(x, store, with(func(*site) error { return nil }), with(fill))
}

// sizeOfGroups measures groups whose members have queues, and from which all
// messages are gone.
func (e *env) sizeOfGroups(_ context.Context, x engine) error {
	for _, l := range sized(e, []load{{members: 2, groups: 100}, {members: 10, groups: 40}, {members: 100, groups: 8}, {members: 1000, groups: 1}},
		[]load{{members: 2, groups: 2000}, {members: 10, groups: 600}, {members: 100, groups: 60}, {members: 1000, groups: 8}}) {
		octets, err := e.storedBySite(x, "groups", func(s *site) error {
			_, err := s.newCrowds(l.groups, l.members)
			return err
		})
		if err != nil {
			return err
		}
		e.emit(Result{Name: "size_group", Store: x.name(), Members: l.members, Value: octets / float64(l.groups), Unit: "B"})
	}
	return nil
}

func (e *env) sizeOfQueues(_ context.Context, x engine) error {
	n := sized(e, []int{5_000}, []int{30_000})[0]
	octets, err := e.storedBySite(x, "queues", func(s *site) error {
		_, err := s.newOwners(n)
		return err
	})
	if err == nil {
		e.emit(Result{Name: "size_queue", Store: x.name(), Value: octets / float64(n), Unit: "B"})
	}
	return err
}

func (e *env) sizeOfMessages(ctx context.Context, x engine) error {
	const size = 1 << 10
	perMessage := func(l load, messages int) (float64, error) {
		var grown float64
		for _, n := range []int{1, 1 + messages} {
			octets, err := e.storedBySite(x, "queues", func(s *site) error {
				crowds, err := s.newCrowds(l.groups, l.members)
				if err == nil {
					_, err = l.round(ctx, s, crowds, size, n)
				}
				return err
			})
			if err != nil {
				return 0, err
			}
			grown = octets - grown
		}
		return grown / float64(l.groups*messages), nil
	}
	n := sized(e, []int{1}, []int{4})[0]
	toTwo, err := perMessage(load{members: 2, groups: 40}, 30*n)
	if err != nil {
		return err
	}
	toMany, err := perMessage(load{members: 100, groups: 2}, 60*n)
	if err != nil {
		return err
	}
	entry := (toMany - toTwo) / 98
	e.emit(Result{Name: "size_entry", Store: x.name(), Value: entry, Unit: "B"})
	e.emit(Result{Name: "size_payload", Store: x.name(), PayloadBytes: size, Value: toTwo - 2*entry, Unit: "B"})
	return nil
}

// sizeOfKeyPackages measures KeyPackages in pools of 100. They are what a client
// makes, and sealed as they would be.
func (e *env) sizeOfKeyPackages(ctx context.Context, x engine) error {
	const each = 100
	pools := sized(e, []int{30}, []int{200})[0]
	var length int
	octets, err := e.storedBySite(x, "queues", func(s *site) error {
		o, err := s.newOwners(1)
		if err != nil {
			return err
		}
		suite, err := suite()
		if err != nil {
			return err
		}
		n, err := (&crowd{site: s, suite: suite}).newcomer(o[0])
		if err != nil {
			return err
		}
		encoded, err := mls.Marshal(n.keyPackage)
		if err != nil {
			return err
		}
		const sealing = 32 + 16 // an encapsulated key and a tag
		length = len(encoded) + sealing
		for range pools {
			var part qs.Part
			rand.Read(part.Key[:])
			part.Kind, part.Batch, part.Last = wire.PoolGroup, 1, true
			for range each {
				part.KeyPackages = append(part.KeyPackages, qs.KeyPackage{Encoded: random(length), LastDay: qs.Day(time.Now().Unix()/86400) + 30})
			}
			if _, err := s.store.Publish(ctx, wire.PoolIDOf(part.Key[:]), part); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		e.emit(Result{Name: "size_key_package", Store: x.name(), PayloadBytes: length, Value: octets / float64(pools*each), Unit: "B"})
	}
	return err
}

// spendAll spends what was verified.
func (m *mint) spendAll(ctx context.Context, p place, payments []tokens.Payment) error {
	l, err := m.ledger(ctx, p)
	if err != nil {
		return err
	}
	return each(len(payments), redemptions, func(i int) error {
		_, err := payments[i].Spend(ctx, l, tokens.RequestDigest{1})
		return err
	})
}
