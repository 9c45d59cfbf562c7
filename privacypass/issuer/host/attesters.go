package host

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/oidc"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
)

// newAttesters makes the attesters that are configured, and returns the account keys
// if there are any.
func newAttesters(c Attesters, data daemon.Dir) (list []attester.Attester, accounts attester.KeySet, err error) {
	if c.Invite != nil {
		key, err := data.Secret(InviteFile)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, attester.NewInvites(key))
	}
	if c.AccountKey != nil {
		keys := &keyFile{path: c.AccountKey.Keys}
		if err := keys.reload(); err != nil {
			return nil, nil, fmt.Errorf("account keys: %w", err)
		}
		list, accounts = append(list, attester.NewAccountKeys(keys)), keys
	}
	if c.ProofOfWork != nil {
		parallel := c.ProofOfWork.Parallel
		if parallel == 0 {
			parallel = 2
		}
		work, err := attester.NewProofOfWork(c.ProofOfWork.WorkCost, parallel)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, work)
	}
	if c.OIDC != nil {
		a, err := newOIDC(c.OIDC)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, a)
	}
	if c.Webhook != nil {
		key, err := daemon.SecretFile(c.Webhook.Secret)
		if err != nil {
			return nil, nil, err
		}
		a, err := webhook.New(webhook.Config{URL: c.Webhook.URL, Secret: key, Parallel: c.Webhook.Parallel})
		if err != nil {
			return nil, nil, err
		}
		list = append(list, a)
	}
	return list, accounts, nil
}

func newOIDC(c *OIDC) (*oidc.Attester, error) {
	config := oidc.Config{Issuer: c.Issuer, Audience: c.Audience, Algorithms: c.Algorithms, KeysURL: c.KeySetURL}
	if c.KeySet != "" {
		b, err := os.ReadFile(c.KeySet)
		if err != nil {
			return nil, err
		}
		config.KeySet = b
	}
	return oidc.New(config)
}

// keyFile is a set of account keys in a file that is read again when it has
// changed. A file that cannot be read leaves the accounts as they were.
type keyFile struct {
	path string

	// mu guards the rest.
	mu      sync.Mutex
	keys    attester.Keys
	size    int64
	changed time.Time
}

var _ attester.KeySet = (*keyFile)(nil)

func (f *keyFile) Has(ctx context.Context, key [ed25519.PublicKeySize]byte) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, err := os.Stat(f.path); err == nil && (info.Size() != f.size || !info.ModTime().Equal(f.changed)) {
		if err := f.reloadLocked(); err != nil {
			return false, fmt.Errorf("%w: the file of account keys cannot be read", attester.ErrUnavailable)
		}
	}
	return f.keys.Has(ctx, key)
}

func (f *keyFile) reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reloadLocked()
}

func (f *keyFile) reloadLocked() error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	keys, err := attester.ReadKeys(file)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.keys, f.size, f.changed = keys, info.Size(), info.ModTime()
	return nil
}
