// Package host puts an issuer together for a program to run: keys, allowances and
// attesters from a configuration and a data directory. The program brings the
// listeners.
//
// Nothing here knows what tokens are spent on.
package host

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer/httpapi"
	"github.com/pseudods/pseudods/privacypass/keyring"
)

// What an issuer's data directory holds.
const (
	KeysDir       = "keys"             // the keyring's
	AllowancesDir = "allowances"       // the store's
	FenceFile     = "allowances.fence" // beside it: see badger.Config.Fence
	NamesFile     = "names.secret"     // see attester.Names
	InviteFile    = "invite.secret"    // see attester.Invites
)

// Options are what a program gives an issuer beside its configuration. All but
// MinFree and AcceptRestored must be set.
type Options struct {
	Data     daemon.Dir
	Registry prometheus.Registerer
	Logger   *slog.Logger
	// MinFree is the free disk space, in octets, below which nothing is issued. 0
	// means 512 MiB.
	MinFree uint64
	// StorageKey encrypts an embedded store at rest, if it is not zero.
	StorageKey secret.Bytes
	// AcceptRestored says that the operator accepts allowances from an older copy:
	// accounts can get again what they got since.
	AcceptRestored bool
	// VerdictKeys are Ed25519 keys of the program's own that sign verdicts.
	VerdictKeys []ed25519.PublicKey
}

// Host is an issuer without its listeners: what it keeps, and the handler.
type Host struct {
	ring        *keyring.Ring
	store       store
	allowances  *attester.Allowances
	schemes     []string
	handler     *httpapi.Handler
	court       *court // nil if no verdicts are taken
	adminSecret secret.Bytes
	log         *slog.Logger
	keysDir     string
}

// Open opens or makes everything that a valid configuration asks for.
func Open(c *Config, o Options) (_ *Host, err error) {
	h := &Host{log: o.Logger, keysDir: o.Data.Path(KeysDir)}
	classes, _, err := c.classes()
	if err != nil {
		return nil, err
	}
	if h.ring, err = c.OpenRing(o.Data); err != nil {
		return nil, err
	}
	if err := h.ring.Advance(time.Now()); err != nil {
		return nil, err
	}
	attesters, keys, err := newAttesters(c.Attesters, o.Data)
	if err != nil {
		return nil, err
	}
	for _, a := range attesters {
		h.schemes = append(h.schemes, a.Scheme())
	}
	if h.adminSecret, err = o.Data.Secret(daemon.AdminFile); err != nil {
		return nil, err
	}
	names, err := o.Data.Secret(NamesFile)
	if err != nil {
		return nil, err
	}
	if h.store, err = openStore(c, o); err != nil {
		return nil, fmt.Errorf("allowances: %w", err)
	}
	defer func() {
		if err != nil {
			h.store.Close()
		}
	}()
	policies := make(map[string]attester.Policy)
	for _, class := range c.Classes {
		policies[class.Name] = class.policy()
	}
	h.allowances, err = attester.NewAllowances(h.store, attester.NewNames(names), time.Duration(c.Period), policies)
	if err != nil {
		return nil, err
	}
	if h.court, err = newCourt(c, o.VerdictKeys, keys, h.allowances, o.Registry); err != nil {
		return nil, err
	}
	h.handler, err = httpapi.New(httpapi.Config{
		Name: c.Name, BaseURL: c.BaseURL, Classes: classes, Keys: h.ring, Allowances: h.allowances, Attesters: attesters,
		MaxAge: time.Duration(c.DirectoryMaxAge), Parallel: c.Parallel, Queue: c.Queue,
		Clock: time.Now, Rand: rand.Reader, Registerer: o.Registry, Logger: o.Logger,
	})
	return h, err
}

// OpenRing opens the keys in an issuer's data directory.
func (c *Config) OpenRing(data daemon.Dir) (*keyring.Ring, error) {
	_, slots, err := c.classes()
	if err != nil {
		return nil, err
	}
	return keyring.Open(keyring.Config{Dir: data.Path(KeysDir), Slots: slots, Schedule: c.schedule(), Rand: rand.Reader})
}

// Invites returns the maker of an issuer's invite codes.
func Invites(data daemon.Dir) (*attester.Invites, error) {
	key, err := data.Secret(InviteFile)
	if err != nil {
		return nil, err
	}
	return attester.NewInvites(key), nil
}

// ServeHTTP implements http.Handler: directories, issuance, and verdicts if any are
// taken.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.court != nil && r.URL.Path == VerdictsPath {
		h.serveVerdict(w, r)
		return
	}
	h.handler.ServeHTTP(w, r)
}

// Schemes are the schemes of the attesters.
func (h *Host) Schemes() []string { return slices.Clone(h.schemes) }

const (
	// watchEvery is how often the key directory is looked at for changes made by
	// other programs, such as "ppissuer keys rotate".
	watchEvery = time.Second
	// advanceEvery is how often, at least, the schedule is applied and ended
	// epochs are forgotten.
	advanceEvery = time.Minute
)

// Tend keeps keys and allowances up to date until ctx is done. What fails is
// tried again; the issuer goes on with what it has.
func (h *Host) Tend(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	seen := h.keysChanged()
	var due, advanced time.Time
	for {
		now := time.Now()
		if changed := h.keysChanged(); !changed.Equal(seen) || !now.Before(due) || now.Sub(advanced) >= advanceEvery {
			if err := h.ring.Advance(now); err != nil {
				h.log.Error("keys not advanced", "error", err)
			}
			if err := h.handler.Refresh(); err != nil {
				h.log.Error("keys not refreshed", "error", err)
			}
			if err := h.allowances.Forget(ctx, now); err != nil && ctx.Err() == nil {
				h.log.Error("allowances not forgotten", "error", err)
			}
			// As it was before: what others changed meanwhile is looked at next.
			seen, due, advanced = changed, h.ring.Next(now), now
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// keysChanged returns when an entry of the key directory was last made or
// removed.
func (h *Host) keysChanged() time.Time {
	info, err := os.Stat(h.keysDir)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Ready reports whether tokens can be issued.
func (h *Host) Ready() error {
	return h.store.ready()
}

// Close closes the store.
func (h *Host) Close() error { return h.store.Close() }
