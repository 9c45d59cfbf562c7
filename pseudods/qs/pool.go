package qs

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Publish adds KeyPackages to the batch being staged of a pool. Each must be
// valid by itself and for at least the rest of the day, else nothing is
// published. It fails with [ErrKeyPackage] or [ErrBatch].
func (s *Service) Publish(ctx context.Context, p *wire.PublishKeyPackages) (*wire.PoolStatus, error) {
	part := Part{Key: p.PoolKey, Kind: p.Kind, Batch: p.Batch, First: p.First, Last: p.Last}
	now := s.cfg.Now()
	for _, encoded := range p.KeyPackages {
		if len(encoded) > MaxKeyPackage {
			return nil, fmt.Errorf("%w: %d octets", ErrKeyPackage, len(encoded))
		}
		k, err := checkKeyPackage(encoded, now)
		if err != nil {
			return nil, err
		}
		part.KeyPackages = append(part.KeyPackages, k)
	}
	status, err := s.cfg.Store.Publish(ctx, wire.PoolIDOf(p.PoolKey[:]), part)
	if err != nil {
		return nil, err
	}
	return &status, nil
}

// checkKeyPackage checks a KeyPackage as RFC 9420, Section 10.1, asks of it by
// itself: its users do the same, and should not have to pay for the discovery.
func checkKeyPackage(encoded []byte, now time.Time) (KeyPackage, error) {
	fail := func(err error) (KeyPackage, error) { return KeyPackage{}, fmt.Errorf("%w: %w", ErrKeyPackage, err) }
	var k mls.KeyPackage
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: MaxKeyPackage, MaxElements: 1024}, encoded, &k); err != nil {
		return fail(err)
	}
	suite, err := k.CipherSuite.Suite()
	if err != nil {
		return fail(err)
	}
	if err := k.Verify(suite); err != nil {
		return fail(err)
	}
	// The last whole day: who gets it then has it for some hours at least.
	end := min(k.LeafNode.Lifetime.NotAfter, math.MaxUint32)
	last := (end+1)/(24*60*60) - 1
	if !k.LeafNode.Lifetime.Contains(now) || end < 24*60*60 || last < uint64(dayOf(now)) {
		return KeyPackage{}, fmt.Errorf("%w: lifetime", ErrKeyPackage)
	}
	return KeyPackage{Encoded: encoded, LastDay: Day(last), LastResort: k.LastResort()}, nil
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
