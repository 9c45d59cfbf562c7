package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer/httpapi"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/allowances"
)

// service is an issuer without its listeners: what it keeps, and the handler.
type service struct {
	ring       *keyring.Ring
	db         *badger.DB
	allowances *attester.Allowances
	schemes    []string
	handler    *httpapi.Handler
	log        *slog.Logger
	keysDir    string
}

// newService opens or makes everything that the configuration asks for. restored
// says that the operator accepts allowances from an older copy.
func newService(c *config, data dataDir, registry prometheus.Registerer, log *slog.Logger, restored bool) (s *service, err error) {
	s = &service{log: log, keysDir: data.path(keysDir)}
	classes, slots, err := c.classes()
	if err != nil {
		return nil, err
	}
	if s.ring, err = openRing(c, data, slots); err != nil {
		return nil, err
	}
	if err := s.ring.Advance(time.Now()); err != nil {
		return nil, err
	}
	attesters, err := newAttesters(c.Attesters, data)
	if err != nil {
		return nil, err
	}
	for _, a := range attesters {
		s.schemes = append(s.schemes, a.Scheme())
	}
	names, err := data.secret(namesFile)
	if err != nil {
		return nil, err
	}
	if s.db, err = openAllowances(c, data, restored); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.db.Close()
		}
	}()
	policies := make(map[string]attester.Policy)
	for _, class := range c.Classes {
		policies[class.Name] = class.policy()
	}
	s.allowances, err = attester.NewAllowances(allowances.New(s.db), attester.NewNames(names), time.Duration(c.Period), policies)
	if err != nil {
		return nil, err
	}
	s.handler, err = httpapi.New(httpapi.Config{
		Name: c.Name, BaseURL: c.BaseURL, Classes: classes, Keys: s.ring, Allowances: s.allowances, Attesters: attesters,
		MaxAge: time.Duration(c.DirectoryMaxAge), Parallel: c.Parallel, Queue: c.Queue,
		Clock: time.Now, Rand: rand.Reader, Registerer: registry, Logger: log,
	})
	return s, err
}

func openRing(c *config, data dataDir, slots []keyring.Slot) (*keyring.Ring, error) {
	return keyring.Open(keyring.Config{Dir: data.path(keysDir), Slots: slots, Schedule: c.schedule(), Rand: rand.Reader})
}

// openAllowances opens the store behind its fence. Without restored, a store that
// is older than the fence is refused: accounts could get again what they got
// since the copy was made.
func openAllowances(c *config, data dataDir, restored bool) (*badger.DB, error) {
	fence := c.Fence
	if fence == "" {
		fence = data.path(fenceFile)
	}
	config := badger.Config{Dir: data.path(allowancesDir), Format: allowances.Format, Fence: fence, MinFree: c.MinFree}
	if restored {
		config.OnRollback = func(*badger.Tx, []byte) error { return nil }
	}
	db, err := badger.Open(config)
	if err != nil {
		return nil, fmt.Errorf("allowances: %w", err)
	}
	return db, nil
}

const (
	// watchEvery is how often the key directory is looked at for changes made by
	// other programs, such as "ppissuer keys rotate".
	watchEvery = time.Second
	// advanceEvery is how often, at least, the schedule is applied and ended
	// epochs are forgotten.
	advanceEvery = time.Minute
)

// tend keeps keys and allowances up to date until ctx is done. What fails is
// tried again; the issuer goes on with what it has.
func (s *service) tend(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	seen := s.keysChanged()
	var due, advanced time.Time
	for {
		now := time.Now()
		if changed := s.keysChanged(); !changed.Equal(seen) || !now.Before(due) || now.Sub(advanced) >= advanceEvery {
			if err := s.ring.Advance(now); err != nil {
				s.log.Error("keys not advanced", "error", err)
			}
			if err := s.handler.Refresh(); err != nil {
				s.log.Error("keys not refreshed", "error", err)
			}
			if err := s.allowances.Forget(ctx, now); err != nil && ctx.Err() == nil {
				s.log.Error("allowances not forgotten", "error", err)
			}
			seen, due, advanced = s.keysChanged(), s.ring.Next(now), now
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
func (s *service) keysChanged() time.Time {
	info, err := os.Stat(s.keysDir)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// ready reports whether tokens can be issued.
func (s *service) ready() error {
	switch stats := s.db.Stats(); {
	case stats.Failed:
		return badger.ErrFailed
	case stats.WritesOff:
		return badger.ErrNoSpace
	}
	return nil
}

func (s *service) close() error { return s.db.Close() }
