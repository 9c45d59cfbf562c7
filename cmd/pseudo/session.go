package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
)

// session is what a command works with.
type session struct {
	command string
	*location
	terminal
	notes notes

	// What follows is set while the state is open.
	*client.Client
	vault    *vault.Vault
	settings *settings
	served   bool // in a process that listens
}

// patience is how long a command waits for another one to be done with the state.
const patience = 5 * time.Second

// open opens the state. If a process listens, it leaves that to other and Client
// nil.
func (s *session) open(ctx context.Context, other func(*listener) error) error {
	var err error
	if s.settings, err = s.location.settings(); err != nil {
		return err
	}
	var key secret.Bytes
	for end := time.Now().Add(patience); ; {
		if l, err := dial(s.location); err == nil {
			return errors.Join(other(l), l.Close())
		}
		if key.IsZero() {
			if key, err = s.settings.key(s.location, s.terminal); err != nil {
				return err
			}
		}
		if err = s.lock(key); !errors.Is(err, vault.ErrInUse) {
			break
		}
		if time.Now().After(end) {
			return s.busy()
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	key.Wipe()
	if err != nil {
		return err
	}
	s.Client, err = client.Open(ctx, s.config())
	if err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

// lock opens the vault and says so to others.
func (s *session) lock(key secret.Bytes) error {
	v, err := vault.Open(s.path(vaultDir), key)
	if err != nil {
		return err
	}
	s.vault = v
	b, err := json.Marshal(holder{os.Getpid(), s.command})
	if err == nil {
		err = putFile(s.path(holderFile), b)
	}
	if err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

func (s *session) close() error {
	var failed error
	if s.Client != nil {
		failed = s.Client.Close()
		s.Client = nil
	}
	os.Remove(s.path(holderFile))
	return errors.Join(failed, s.vault.Close())
}

func (s *session) config() client.Config {
	providers := map[string]string{s.settings.Domain: s.settings.Server}
	for domain, url := range s.settings.Providers {
		providers[domain] = url
	}
	return client.Config{Account: account.Config{Vault: s.vault, Providers: providers, Attestor: attestation{s.vault}, AccountKey: s.settings.AccountKey}}
}

// holder is the process that has the state, for those that wait for it in vain.
type holder struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
}

const holderFile = "holder.json"

// holder names it.
func (l *location) holder() string {
	var h holder
	if b, err := os.ReadFile(l.path(holderFile)); err != nil || json.Unmarshal(b, &h) != nil {
		return "another process"
	}
	return fmt.Sprintf("process %d (pseudo %s)", h.PID, h.Command)
}

func (l *location) busy() error {
	return fmt.Errorf("%s has the state; try again when it is done", l.holder())
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// current takes what has arrived, so that what is shown is not out of date. What
// happened is told by the next `pseudo listen`. A process that listens is current
// anyway, and a server that is away shows nothing new.
func (s *session) current(ctx context.Context) {
	if s.served {
		return
	}
	events, err := s.Sync(ctx, 0)
	for i := range events {
		err = errors.Join(err, s.nameGroup(&events[i]))
	}
	if err != nil {
		text, _ := explain(err)
		s.notes.say("what follows may be out of date: %s", text)
	}
}

// group returns a group of that name, as it is now.
func (s *session) group(ctx context.Context, name string) (*client.Group, error) {
	s.current(ctx)
	return s.Group(name)
}
