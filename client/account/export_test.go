package account

import (
	"context"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// Store is what an account needs of its vault.
type Store interface {
	Get(name string) ([]byte, error)
	Put(name string, b []byte) error
	Delete(name string) error
	Names(prefix string) ([]string, error)
	File(name string) (path string, key secret.Bytes, err error)
}

// CreateOver and OpenOver are Create and Open over a store that can fail.
func CreateOver(ctx context.Context, cfg Config, s Store, name, domain string) (*Account, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return create(ctx, cfg, s, name, domain)
}

func OpenOver(ctx context.Context, cfg Config, s Store) (*Account, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return open(ctx, cfg, s)
}

// Queue and Pool are what services know the account by.
func (a *Account) Queue() wire.QueueID              { return a.static.queue() }
func (a *Account) Pool(k wire.PoolKind) wire.PoolID { return a.static.pool(k) }

// KeyPackageCount returns how many KeyPackages have private parts in the vault.
func (a *Account) KeyPackageCount() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.keyPackages)
}

// Outstanding returns how many paid requests have no answer.
func (a *Account) Outstanding() int {
	n := 0
	for _, p := range a.openProviders() {
		if w, err := p.purse.open(); err == nil {
			n += len(w.Outstanding())
		}
	}
	return n
}

// TokenCount returns how many tokens of a class there are for the own provider.
func (a *Account) TokenCount(class tokens.Class) int {
	p, err := a.provider(a.static.domain)
	if err != nil {
		return 0
	}
	w, err := p.purse.open()
	if err != nil {
		return 0
	}
	return w.Count(class)
}
