package queuetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var group = wire.PoolID{1}

// part of a batch with n KeyPackages whose names tell batch and number.
func part(batch uint64, first, n int, last bool) qs.Part {
	p := qs.Part{Key: [32]byte{1}, Kind: wire.PoolGroup, Batch: batch, First: uint32(first), Last: last}
	for i := range n {
		p.KeyPackages = append(p.KeyPackages, qs.KeyPackage{Encoded: packageName(batch, first+i), LastDay: today + 100})
	}
	return p
}

func packageName(batch uint64, n int) []byte {
	return fmt.Appendf(nil, "KeyPackage %d of batch %d", n, batch)
}

func (b *bench) publish(p qs.Part, want wire.PoolStatus) {
	b.Helper()
	got, err := b.store.Publish(b.ctx, group, p)
	b.must(err)
	if got != want {
		b.Fatalf("status %+v, want %+v", got, want)
	}
}

var friend = wire.ContactHash{1}

func (b *bench) befriend() {
	b.Helper()
	b.must(b.store.Allow(b.ctx, group, friend, true))
}

// take takes from the group pool under the n-th request.
func (b *bench) take(day qs.Day, n int) (string, error) {
	got, err := b.store.Take(b.ctx, group, day, qs.Claim{Kind: wire.PoolGroup, Contact: &friend, Request: [32]byte{byte(n), byte(n >> 8)}})
	return string(got), err
}

func (b *bench) wantTake(day qs.Day, n int, want []byte) {
	b.Helper()
	got, err := b.take(day, n)
	if want == nil {
		b.want(err, qs.ErrExhausted)
		return
	}
	b.must(err)
	if got != string(want) {
		b.Fatalf("took %q, want %q", got, want)
	}
}

func testBatches(b *bench) {
	_, err := b.store.PoolKey(b.ctx, group)
	b.want(err, qs.ErrNotFound)
	b.want(b.store.Allow(b.ctx, group, friend, true), qs.ErrNotFound)
	b.publish(part(1, 0, 2, false), wire.PoolStatus{Staged: 2})
	b.befriend()
	b.wantTake(today, 1, nil) // staged ones are not used
	b.publish(part(1, 0, 2, false), wire.PoolStatus{Staged: 2})
	b.publish(part(1, 2, 1, true), wire.PoolStatus{Batch: 1, Left: 3})
	b.publish(part(1, 2, 1, true), wire.PoolStatus{Batch: 1, Left: 3})
	b.wantTake(today, 1, packageName(1, 0))
	b.publish(part(3, 0, 1, false), wire.PoolStatus{Batch: 1, Left: 2, Staged: 1})
	b.publish(part(2, 0, 9, true), wire.PoolStatus{Batch: 1, Left: 2, Staged: 1}) // older than what is staged
	b.wantTake(today, 2, packageName(1, 1))
	b.publish(part(4, 0, 3, false), wire.PoolStatus{Batch: 1, Left: 1, Staged: 3}) // discards batch 3
	p := part(4, 3, 1, true)
	p.KeyPackages[0].LastResort = true
	b.publish(p, wire.PoolStatus{Batch: 4, Left: 3})
	for n := range 3 {
		b.wantTake(today, 10+n, packageName(4, n))
	}
	b.wantTake(today, 20, packageName(4, 3))
	b.wantTake(today, 21, packageName(4, 3)) // that of last resort stays
	b.publish(part(5, 0, 0, true), wire.PoolStatus{Batch: 5})
	b.wantTake(today, 22, nil) // the new batch replaced it as well
	key, err := b.store.PoolKey(b.ctx, group)
	b.must(err)
	if key != [32]byte{1} {
		b.Fatalf("pool key %x", key)
	}
}

func testBatchesThatDoNotFit(b *bench) {
	b.publish(part(2, 0, 2, false), wire.PoolStatus{Staged: 2})
	lastResorts := part(2, 2, 2, false)
	lastResorts.KeyPackages[0].LastResort, lastResorts.KeyPackages[1].LastResort = true, true
	large := part(2, 2, 1, false)
	large.KeyPackages[0].Encoded = make([]byte, qs.MaxKeyPackage+1)
	otherKind := part(2, 2, 1, false)
	otherKind.Kind = wire.PoolConnection
	for name, p := range map[string]qs.Part{
		"gap":              part(2, 3, 1, false),
		"overlap":          part(2, 1, 2, false),
		"too many":         part(2, 2, qs.MaxBatch, false),
		"batch 0":          part(0, 0, 1, true),
		"two last resorts": lastResorts,
		"large":            large,
		"other kind":       otherKind,
	} {
		if _, err := b.store.Publish(b.ctx, group, p); !errors.Is(err, qs.ErrBatch) {
			b.Errorf("%s: %v", name, err)
		}
	}
	one := part(2, 2, 1, false)
	one.KeyPackages[0].LastResort = true
	b.publish(one, wire.PoolStatus{Staged: 3})
	second := part(2, 3, 1, true)
	second.KeyPackages[0].LastResort = true
	_, err := b.store.Publish(b.ctx, group, second)
	b.want(err, qs.ErrBatch)
	b.publish(part(2, 3, 0, true), wire.PoolStatus{Batch: 2, Left: 2})
}

func testTakeOnce(b *bench) {
	b.publish(part(1, 0, 3, true), wire.PoolStatus{Batch: 1, Left: 3})
	b.befriend()
	for range 3 { // a retry is answered with the same
		b.wantTake(today, 1, packageName(1, 0))
	}
	b.wantTake(today, 2, packageName(1, 1))
	b.wantTake(today, 1, packageName(1, 0))
	b.must(b.store.Expire(b.ctx, qs.Expiry{Claims: today}))
	b.wantTake(today, 1, packageName(1, 0))
	b.must(b.store.Expire(b.ctx, qs.Expiry{Claims: today + 1}))
	b.wantTake(today, 1, packageName(1, 2)) // forgotten, so it is a new request
	b.wantTake(today, 3, nil)
}

func testTakeRace(b *bench) {
	const packages, takers = 50, 8
	b.publish(part(1, 0, packages, true), wire.PoolStatus{Batch: 1, Left: packages})
	b.befriend()
	var mu sync.Mutex
	taken := map[string]int{}
	var wg sync.WaitGroup
	for w := range takers {
		wg.Go(func() {
			for i := range packages {
				got, err := b.take(today, w*packages+i)
				if errors.Is(err, qs.ErrExhausted) {
					return
				}
				if err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				taken[got]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(taken) != packages {
		b.Fatalf("%d different KeyPackages of %d", len(taken), packages)
	}
	for name, n := range taken {
		if n != 1 {
			b.Errorf("%s left %d times", name, n)
		}
	}
}

func testTakeRefusals(b *bench) {
	b.publish(part(1, 0, 3, true), wire.PoolStatus{Batch: 1, Left: 3})
	b.befriend()
	stranger := wire.ContactHash{9}
	connections := wire.PoolID{2}
	p := part(1, 0, 1, true)
	p.Kind = wire.PoolConnection
	_, err := b.store.Publish(b.ctx, connections, p)
	b.must(err)
	for name, c := range map[string]struct {
		pool  wire.PoolID
		claim qs.Claim
	}{
		"no such pool":          {wire.PoolID{99}, qs.Claim{Kind: wire.PoolGroup, Contact: &friend}},
		"stranger":              {group, qs.Claim{Kind: wire.PoolGroup, Contact: &stranger}},
		"no contact":            {group, qs.Claim{Kind: wire.PoolGroup}},
		"as for connection":     {group, qs.Claim{Kind: wire.PoolConnection, Contact: &friend}},
		"as for a group":        {connections, qs.Claim{Kind: wire.PoolGroup, Contact: &friend}},
		"no such pool, no kind": {wire.PoolID{99}, qs.Claim{}},
	} {
		if got, err := b.store.Take(b.ctx, c.pool, today, c.claim); !errors.Is(err, qs.ErrExhausted) || got != nil {
			b.Errorf("%s: %q, %v", name, got, err)
		}
	}
	got, err := b.store.Take(b.ctx, connections, today, qs.Claim{Kind: wire.PoolConnection})
	b.must(err)
	if string(got) != string(packageName(1, 0)) {
		b.Fatalf("took %q", got)
	}
	b.wantTake(today, 1, packageName(1, 0))
	b.must(b.store.Allow(b.ctx, group, friend, false))
	b.befriend() // ended for good
	b.wantTake(today, 1, nil)
	b.wantTake(today, 2, nil)
	b.must(b.store.Allow(b.ctx, group, stranger, true))
	got, err = b.store.Take(b.ctx, group, today, qs.Claim{Kind: wire.PoolGroup, Contact: &stranger, Request: [32]byte{2}})
	b.must(err)
	if string(got) != string(packageName(1, 1)) {
		b.Fatalf("took %q", got)
	}
}

func testTakeExpiry(b *bench) {
	p := part(1, 0, 4, true)
	for i := range p.KeyPackages {
		p.KeyPackages[i].LastDay = today + qs.Day(i)
	}
	p.KeyPackages[3].LastResort = true
	b.publish(p, wire.PoolStatus{Batch: 1, Left: 3})
	b.befriend()
	b.wantTake(today+1, 1, packageName(1, 1))
	b.wantTake(today+3, 2, packageName(1, 3))
	b.wantTake(today+4, 3, nil)
}

func testDeletePool(b *bench) {
	b.publish(part(1, 0, 3, true), wire.PoolStatus{Batch: 1, Left: 3})
	b.befriend()
	b.wantTake(today, 1, packageName(1, 0))
	for range 2 {
		b.must(b.store.DeletePool(b.ctx, group))
		b.wantTake(today, 1, nil)
		_, err := b.store.PoolKey(b.ctx, group)
		b.want(err, qs.ErrNotFound)
	}
	b.publish(part(1, 0, 1, true), wire.PoolStatus{Batch: 1, Left: 1})
	b.wantTake(today, 2, nil) // the contacts went with the pool
	b.befriend()
	b.wantTake(today, 1, packageName(1, 0))
	b.wantTake(today, 2, nil)
}
