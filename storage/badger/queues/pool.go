package queues

import (
	"context"
	"encoding/binary"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// lastResort is the number of the KeyPackage of last resort in its batch.
const lastResort = 1<<32 - 1

func keyPackageKey(id wire.PoolID, batch uint64, number uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(key(kindKeyPackage, id[:]), batch), number)
}

// discard deletes what is left of a batch.
func discard(tx *view, id wire.PoolID, b *batch) {
	for n := b.next; n < b.end; n++ {
		tx.Delete(keyPackageKey(id, b.id, n))
	}
	if b.lastResort {
		tx.Delete(keyPackageKey(id, b.id, lastResort))
	}
}

// forgetRestored deletes KeyPackages that an older copy of the database brought
// back.
func (s *Store) forgetRestored(tx *view, id wire.PoolID, p *pool) {
	b := &p.active
	if b.restores == s.restores {
		return
	}
	for ; b.next < b.end; b.next++ {
		tx.Delete(keyPackageKey(id, b.id, b.next))
	}
	b.restores = s.restores
}

// Publish implements [qs.Pools]. A part has at most [qs.MaxPart] octets and
// discards at most two batches, so that it fits one request.
func (s *Store) Publish(ctx context.Context, id wire.PoolID, part qs.Part) (status wire.PoolStatus, err error) {
	if err := qs.CheckPart(&part); err != nil {
		return status, err
	}
	err = s.afterPurge(ctx, kindPoolPurge, id[:], func(tx *view) error {
		p := pool{key: part.Key, kind: part.Kind}
		if _, err := load(tx.Get, key(kindPool, id[:]), &p); err != nil {
			return err
		}
		if p.kind != part.Kind {
			return qs.ErrBatch
		}
		s.forgetRestored(tx, id, &p)
		changed, err := s.stage(tx, id, &p, &part)
		if err != nil {
			return err
		}
		if changed {
			tx.Put(key(kindPool, id[:]), marshal(&p))
		}
		status = wire.PoolStatus{Batch: p.active.id, Left: p.active.end - p.active.next, Staged: p.staged.received}
		return nil
	})
	return status, err
}

// stage adds a part to the staged batch of p, and puts the batch in use with
// the last part: the records stay where they are, as their keys name the batch,
// and what is left of the batch before goes in the same request.
func (s *Store) stage(tx *view, id wire.PoolID, p *pool, part *qs.Part) (changed bool, err error) {
	if part.Batch <= p.active.id || part.Batch < p.staged.id {
		return false, nil
	}
	if part.Batch > p.staged.id {
		discard(tx, id, &p.staged)
		p.staged = batch{id: part.Batch}
	}
	b := &p.staged
	if end := part.First + uint32(len(part.KeyPackages)); end <= b.received && !part.Last && len(part.KeyPackages) > 0 {
		return false, nil // it is there already
	}
	if part.First != b.received {
		return false, qs.ErrBatch
	}
	for _, k := range part.KeyPackages {
		number := b.end
		if k.LastResort {
			if b.lastResort {
				return false, qs.ErrBatch
			}
			b.lastResort, number = true, lastResort
		} else {
			b.end++
		}
		tx.Put(keyPackageKey(id, b.id, number), marshal(&keyPackage{k.LastDay, k.Encoded}))
	}
	b.received += uint32(len(part.KeyPackages))
	if part.Last {
		discard(tx, id, &p.active)
		p.active, p.staged = *b, batch{}
		p.active.restores = s.restores
	}
	return true, nil
}

// PoolKey implements [qs.Pools].
func (s *Store) PoolKey(_ context.Context, id wire.PoolID) ([32]byte, error) {
	var p pool
	err := mustLoad(s.db.Get, key(kindPool, id[:]), &p)
	return p.key, err
}

// Allow implements [qs.Pools]. A contact that was ended keeps its record, so
// that an old request cannot let it in again.
func (s *Store) Allow(ctx context.Context, id wire.PoolID, contact wire.ContactHash, allow bool) error {
	return s.submit(ctx, func(tx *view) error {
		var p pool
		if err := mustLoad(tx.Get, key(kindPool, id[:]), &p); err != nil {
			return err
		}
		contactKey := key(kindContact, id[:], contact[:]...)
		stored, err := get(tx.Get, contactKey)
		if err != nil {
			return err
		}
		if stored == nil {
			if p.contacts >= qs.MaxContacts {
				return qs.ErrLimit
			}
			p.contacts++
			tx.Put(key(kindPool, id[:]), marshal(&p))
		} else if allow {
			return nil
		}
		tx.Put(contactKey, contactValue(allow))
		return nil
	})
}

func contactValue(allowed bool) []byte {
	if allowed {
		return []byte{1}
	}
	return []byte{0}
}

// Take implements [qs.Pools]. It reads the same records whatever it refuses.
func (s *Store) Take(ctx context.Context, id wire.PoolID, today qs.Day, c qs.Claim) (encoded []byte, err error) {
	err = s.submit(ctx, func(tx *view) error {
		encoded, err = s.take(tx, id, today, &c)
		return err
	})
	if err == nil && encoded == nil {
		err = qs.ErrExhausted
	}
	return encoded, err
}

// take returns nil if there is none to be had.
func (s *Store) take(tx *view, id wire.PoolID, today qs.Day, c *qs.Claim) ([]byte, error) {
	var p pool
	if _, err := load(tx.Get, key(kindPool, id[:]), &p); err != nil {
		return nil, err
	}
	var hash wire.ContactHash
	if c.Contact != nil {
		hash = *c.Contact
	}
	contact, err := get(tx.Get, key(kindContact, id[:], hash[:]...))
	if err != nil {
		return nil, err
	}
	allowed := c.Kind == wire.PoolConnection || len(contact) == 1 && contact[0] == 1
	claimKey := key(kindClaim, id[:], c.Request[:]...)
	var k keyPackage
	claimed, err := load(tx.Get, claimKey, &k)
	if err != nil {
		return nil, err
	}
	if p.kind != c.Kind || !allowed {
		return nil, nil
	}
	if claimed {
		return k.encoded, nil
	}
	first := p.active.next
	s.forgetRestored(tx, id, &p)
	// The record is gone and the claim is there in one step, so that the
	// KeyPackage leaves once and is not lost with an answer.
	for p.active.next < p.active.end {
		packageKey := keyPackageKey(id, p.active.id, p.active.next)
		ok, err := load(tx.Get, packageKey, &k)
		if err != nil {
			return nil, err
		}
		p.active.next++
		tx.Delete(packageKey)
		if ok && k.day >= today {
			tx.Put(claimKey, marshal(&keyPackage{today, k.encoded}))
			tx.Put(key(kindPool, id[:]), marshal(&p))
			return k.encoded, nil
		}
	}
	if p.active.next != first { // none of those that were left is to be had
		tx.Put(key(kindPool, id[:]), marshal(&p))
	}
	if !p.active.lastResort {
		return nil, nil
	}
	ok, err := load(tx.Get, keyPackageKey(id, p.active.id, lastResort), &k)
	if err != nil || !ok || k.day < today {
		return nil, err
	}
	return k.encoded, nil
}
