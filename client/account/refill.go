package account

import (
	"context"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// Refill does what is due, and what was interrupted: requests that were not
// answered, tokens ahead of use, KeyPackages, the contact card, offers and
// revocations. Call it every hour or so, at times that have nothing to do with what
// the user does, as the issuer sees when tokens are fetched. What fails does not
// keep the rest from being done; all errors are joined.
//
// Addresses of groups are their owner's to replace: see [Account.DueAddresses].
func (a *Account) Refill(ctx context.Context) error {
	select {
	case a.refillTurn <- struct{}{}:
		defer func() { <-a.refillTurn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	own, err := a.provider(a.static.domain)
	if err != nil {
		return err
	}
	ctx, cancel := a.whileOpen(ctx)
	defer cancel()
	var errs []error
	for _, p := range a.openProviders() {
		errs = append(errs, p.settle(ctx))
	}
	errs = append(errs, own.purse.refill(ctx), a.ensureQueue(ctx))
	for _, kind := range pools {
		errs = append(errs, a.ensurePool(ctx, kind))
	}
	errs = append(errs, a.ensureCard(ctx), a.deliverAll(ctx), a.DeliverDevices(ctx), a.dropLoose())
	return errors.Join(errs...)
}

// openProviders returns the providers that were dealt with.
func (a *Account) openProviders() []*provider {
	a.providersMu.Lock()
	defer a.providersMu.Unlock()
	var out []*provider
	for _, p := range a.providers {
		out = append(out, p)
	}
	return out
}

// deliverAll sends what is due for all contacts, and what is to be revoked of
// former ones.
func (a *Account) deliverAll(ctx context.Context) error {
	a.mu.Lock()
	var names []string
	for name, c := range a.contacts {
		if c.pending() {
			names = append(names, name)
		}
	}
	var formers []*former
	for _, f := range a.formers {
		formers = append(formers, f)
	}
	a.mu.Unlock()
	slices.Sort(names)
	var errs []error
	for _, name := range names {
		errs = append(errs, a.deliver(ctx, name))
	}
	for _, f := range formers {
		errs = append(errs, a.revokeFormer(ctx, f))
	}
	return errors.Join(errs...)
}

func (a *Account) revokeFormer(ctx context.Context, f *former) error {
	for i := range f.revoke {
		if err := a.allow(ctx, &f.revoke[i], false); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.formers[string(f.key)]
	if now == nil || len(f.revoke) == 0 {
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(now.revoke), func(t wire.ContactToken) bool {
		return slices.ContainsFunc(f.revoke, func(done wire.ContactToken) bool { return done.Equal(t.Bytes) })
	})
	return a.saveFormer(&former{now.key, now.blocked, left})
}

// dropLoose deletes KeyPackages in no pool that are over.
func (a *Account) dropLoose() error {
	now := a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sets {
		if s.pool == 0 && s.over(now) {
			if err := a.dropSet(s); err != nil {
				return err
			}
		}
	}
	return nil
}
