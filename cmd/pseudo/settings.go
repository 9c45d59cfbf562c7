package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The files in the state directory, beside those that are locked and removed.
const (
	settingsFile = "settings.json"
	keyFile      = "key"
	vaultDir     = "vault"
)

// settings are what must be known before the vault opens. Nothing in them is
// secret, but that there is an account at that server.
type settings struct {
	// Server is the URL of the user's provider, without a path, and Domain the name
	// by which its document goes.
	Server string `json:"server"`
	Domain string `json:"domain"`
	// Passphrase says how the vault's key follows from the passphrase. Nil: the key
	// is in a file.
	Passphrase *stretch `json:"passphrase,omitempty"`
	// AccountKey says that the identity's key is the account's at the issuer.
	AccountKey bool `json:"account_key,omitempty"`
	// Providers are the URLs of other domains' providers, for those that are not
	// at https:// and the domain.
	Providers map[string]string `json:"providers,omitempty"`
}

// errNoAccount: there are no settings.
var errNoAccount = errors.New("no account")

func (l *location) settings() (*settings, error) {
	b, err := os.ReadFile(l.path(settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoAccount
	} else if err != nil {
		return nil, err
	}
	s := new(settings)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("%s: %w", l.path(settingsFile), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one JSON value", l.path(settingsFile))
	}
	if s.Passphrase != nil {
		if err := s.Passphrase.validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", l.path(settingsFile), err)
		}
	}
	return s, nil
}

func (l *location) putSettings(s *settings) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return putFile(l.path(settingsFile), append(b, '\n'))
}

// putFile replaces a file, of mode 0600, at once and durably.
func putFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
