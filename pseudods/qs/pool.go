package qs

import (
	"context"
	"fmt"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// Publish adds KeyPackages to the batch being staged of a pool. Whether they are
// any good only those can tell who use them. It fails with [ErrKeyPackage] if one
// is too large, or would not be handed out today or after more than
// [MaxKeyPackageDays], or with [ErrBatch]; then nothing is published.
func (s *Service) Publish(ctx context.Context, p *wire.PublishKeyPackages) (*wire.PoolStatus, error) {
	part := Part{Key: p.PoolKey, Kind: p.Kind, Batch: p.Batch, First: p.First, Last: p.Last}
	today := s.today()
	for _, k := range p.KeyPackages {
		switch last := Day(k.LastDay); {
		case len(k.Sealed) == 0 || len(k.Sealed) > MaxKeyPackage:
			return nil, fmt.Errorf("%w: %d octets", ErrKeyPackage, len(k.Sealed))
		case last < today || last > today+MaxKeyPackageDays:
			return nil, fmt.Errorf("%w: lifetime", ErrKeyPackage)
		}
		part.KeyPackages = append(part.KeyPackages, KeyPackage{Encoded: k.Sealed, LastDay: Day(k.LastDay), LastResort: k.LastResort})
	}
	status, err := s.cfg.Store.Publish(ctx, wire.PoolIDOf(p.PoolKey[:]), part)
	if err != nil {
		return nil, err
	}
	return &status, nil
}

// Take hands out a KeyPackage of a pool, by the digest of the request: the same
// request gets the same KeyPackage again for some days. It fails with
// [ErrExhausted] whatever the reason.
func (s *Service) Take(ctx context.Context, kind wire.PoolKind, f *wire.FetchKeyPackage, request [32]byte) ([]byte, error) {
	claim := Claim{Kind: kind, Request: request}
	if kind == wire.PoolGroup && !f.Contact.IsZero() {
		hash := f.Contact.Hash(f.Pool)
		claim.Contact = &hash
	}
	return s.cfg.Store.Take(ctx, f.Pool, s.today(), claim)
}

// Allow lets a contact fetch from a pool, or ends that for good. It fails with
// [ErrNotFound] or [ErrLimit].
func (s *Service) Allow(ctx context.Context, a *wire.AllowContact) error {
	return s.cfg.Store.Allow(ctx, a.Pool, a.Contact, a.Allow)
}

// DeletePool deletes a pool with all that belongs to it.
func (s *Service) DeletePool(ctx context.Context, pool wire.PoolID) error {
	return s.cfg.Store.DeletePool(ctx, pool)
}
