package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	maxPart = 256 << 10 // octets of KeyPackages in one request
	// maxSets is how many batches of a pool keep their private parts, as Welcomes
	// for them may be under way. Whoever empties a pool again and again makes older
	// ones useless, at the price of a token for each KeyPackage.
	maxSets = 64
)

// poolCall is a request that a pool's key signs.
func (a *Account) poolCall(o wire.Operation, k wire.PoolKind, body mls.Marshaler, answer mls.Unmarshaler) *Call {
	return a.ownCall(o, body, answer, a.static.poolKeys[poolIndex(k)])
}

// ensurePool publishes a new batch if there is none, if few are left of it, if its
// last resort was used, or if half of its life is over.
func (a *Account) ensurePool(ctx context.Context, kind wire.PoolKind) error {
	i := poolIndex(kind)
	staged := a.stagedSet(kind)
	if staged == nil {
		due, last, err := a.poolDue(ctx, kind)
		if err != nil || !due {
			return err
		}
		if staged, err = a.makeSet(ctx, kind, last+1); err != nil {
			return err
		}
	}
	published, err := a.publish(ctx, staged)
	if err != nil {
		return err
	}
	if published.Batch > staged.batch { // the vault is older than the pool
		if staged, err = a.renumber(staged, published.Batch+1); err != nil {
			return err
		}
		if published, err = a.publish(ctx, staged); err != nil {
			return err
		}
	}
	if published.Batch != staged.batch {
		return fmt.Errorf("%w: KeyPackages are not in use", ErrService)
	}
	if err := a.setStatus(func(s *status) { s.batches[i], s.used[i] = staged.batch, false }); err != nil {
		return err
	}
	return a.dropOldSets(kind)
}

// stagedSet returns the set that a crash kept from being published, if any.
func (a *Account) stagedSet(kind wire.PoolKind) *keySet {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sets {
		if s.pool == kind && s.batch > a.status.batches[poolIndex(kind)] {
			return s
		}
	}
	return nil
}

// poolDue reports whether the pool needs a new batch, and the number of the last
// one.
func (a *Account) poolDue(ctx context.Context, kind wire.PoolKind) (bool, uint64, error) {
	s := a.statusNow()
	batch := s.batches[poolIndex(kind)]
	if batch == 0 || s.used[poolIndex(kind)] || a.halfOver(kind, batch) {
		return true, batch, nil
	}
	// Part of a batch that is not newer than the one in use only asks for the
	// status.
	var left wire.PoolStatus
	body := &wire.PublishKeyPackages{PoolKey: [32]byte(a.static.poolKeys[poolIndex(kind)].Public()), Kind: kind, Batch: batch}
	c := a.poolCall(wire.OpPublishKeyPackages, kind, body, &left)
	c.unpaid = true
	err := a.Call(ctx, c)
	if errors.Is(err, &wire.Error{Code: wire.CodeTokenRequired}) { // the pool is gone
		return true, batch, nil
	}
	return int(left.Left) <= a.cfg.KeyPackages/4 || left.Batch != batch, max(batch, left.Batch), err
}

// halfOver reports whether half of the life of a batch is over, or of addresses in
// it, or whether the set is not there.
func (a *Account) halfOver(kind wire.PoolKind, batch uint64) bool {
	now := a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sets {
		if s.pool == kind && s.batch == batch {
			return slices.ContainsFunc(s.keys, func(k *ownKeyPackage) bool {
				until := uint32(min(uint64(k.until), (k.keys.Public.LeafNode.Lifetime.NotAfter+1)/uint64(day.Seconds())))
				return due(k.made, until, now)
			})
		}
	}
	return true
}

// makeSet makes and saves a batch.
func (a *Account) makeSet(ctx context.Context, kind wire.PoolKind, batch uint64) (*keySet, error) {
	name, err := a.setName()
	if err != nil {
		return nil, err
	}
	s := &keySet{name: name, pool: kind, batch: batch}
	for i := range a.cfg.KeyPackages + 1 {
		p, err := a.NewPersona(nil)
		if err != nil {
			return nil, err
		}
		k, err := a.makeKeyPackage(ctx, p, i == a.cfg.KeyPackages)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, k)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return s, a.putSet(s)
}

// renumber gives a set that is not published another number.
func (a *Account) renumber(s *keySet, batch uint64) (*keySet, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := *s
	next.batch = batch
	return &next, a.putSet(&next)
}

// publish publishes a set, in parts of bounded size, and returns what the pool
// then has. The first request for a pool costs tokens; later ones bring some only
// if the service asks for them, because the pool is gone.
func (a *Account) publish(ctx context.Context, s *keySet) (*wire.PoolStatus, error) {
	all, err := a.sealSet(s)
	if err != nil {
		return nil, err
	}
	answer := new(wire.PoolStatus)
	for first := 0; first < len(all); {
		end, size := first, 0
		for end < len(all) && (end == first || size+len(all[end].Sealed) <= maxPart) {
			size += len(all[end].Sealed)
			end++
		}
		body := &wire.PublishKeyPackages{PoolKey: [32]byte(a.static.poolKeys[poolIndex(s.pool)].Public()), Kind: s.pool, Batch: s.batch,
			First: uint32(first), KeyPackages: all[first:end], Last: end == len(all)}
		c := a.poolCall(wire.OpPublishKeyPackages, s.pool, body, answer)
		c.unpaid = a.statusNow().batches[poolIndex(s.pool)] > 0 || first > 0
		err := a.Call(ctx, c)
		if c.unpaid && errors.Is(err, &wire.Error{Code: wire.CodeTokenRequired}) {
			c.unpaid = false
			err = a.Call(ctx, c)
		}
		if err != nil {
			return nil, err
		}
		first = end
	}
	return answer, nil
}

// sealSet encrypts the KeyPackages of a set for those who may use them.
func (a *Account) sealSet(s *keySet) ([]wire.PublishedKeyPackage, error) {
	key := seal.PoolKeyOf(a.static.linkWrap)
	if s.pool == wire.PoolConnection {
		key = seal.CardKeyOf(a.static.linkWrap)
	}
	var out []wire.PublishedKeyPackage
	for _, k := range s.keys {
		b, err := mls.Marshal(k.keys.Public)
		if err != nil {
			return nil, err
		}
		sealed, err := seal.SealKeyPackage(a.cfg.Rand, key, a.static.pool(s.pool), b)
		if err != nil {
			return nil, err
		}
		end := k.keys.Public.LeafNode.Lifetime.NotAfter + 1
		out = append(out, wire.PublishedKeyPackage{Sealed: sealed, LastDay: uint32(end/uint64(day.Seconds())) - 1, LastResort: k.keys.Public.LastResort()})
	}
	return out, nil
}

// dropOldSets deletes the private parts of batches of a pool that are over, and the
// oldest ones above the bound.
func (a *Account) dropOldSets(kind wire.PoolKind) error {
	now := a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	var sets []*keySet
	for _, s := range a.sets {
		if s.pool == kind {
			sets = append(sets, s)
		}
	}
	slices.SortFunc(sets, func(x, y *keySet) int { return int(int64(y.batch) - int64(x.batch)) })
	for i, s := range sets {
		if i >= maxSets || i > 0 && s.over(now) {
			if err := a.dropSet(s); err != nil {
				return err
			}
		}
	}
	return nil
}
