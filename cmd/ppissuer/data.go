package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pseudods/pseudods/internal/secret"
)

// What a data directory holds.
const (
	keysDir       = "keys"             // the keyring's
	allowancesDir = "allowances"       // the store's
	fenceFile     = "allowances.fence" // beside it: see badger.Config.Fence
	namesFile     = "names.secret"     // see attester.Names
	inviteFile    = "invite.secret"    // see attester.Invites
	adminFile     = "admin.secret"     // who knows it may reduce allowances
	runningFile   = "running.json"     // where a running issuer listens
)

var errMode = errors.New("permissions are wider than the owner's")

// dataDir is the directory of everything that an issuer keeps.
type dataDir string

// openData makes the directory if it is absent, and checks its mode.
func openData(path string) (dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s: %w: mode %04o", path, errMode, info.Mode().Perm())
	}
	return dataDir(path), nil
}

func (d dataDir) path(name string) string { return filepath.Join(string(d), name) }

// secret returns the 32 octets of the named file, which it makes if it is absent.
// If several programs make it at once, one of them wins and all get its secret.
func (d dataDir) secret(name string) (secret.Bytes, error) {
	s, err := d.readSecret(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	b := make([]byte, 32)
	rand.Read(b)
	made := secret.New(b)
	defer made.Wipe()
	f, err := os.CreateTemp(string(d), ".new-") // mode 0600
	if err != nil {
		return secret.Bytes{}, err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.URLEncoding.EncodeToString(b) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return secret.Bytes{}, err
	}
	if err := os.Link(f.Name(), d.path(name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return secret.Bytes{}, err
	}
	if err := d.sync(); err != nil {
		return secret.Bytes{}, err
	}
	return d.readSecret(name)
}

func (d dataDir) readSecret(name string) (secret.Bytes, error) {
	info, err := os.Stat(d.path(name))
	if err != nil {
		return secret.Bytes{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return secret.Bytes{}, fmt.Errorf("%s: %w: mode %04o", d.path(name), errMode, info.Mode().Perm())
	}
	text, err := os.ReadFile(d.path(name))
	if err != nil {
		return secret.Bytes{}, err
	}
	defer clear(text)
	b, err := base64.URLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != 32 {
		return secret.Bytes{}, fmt.Errorf("%s: not 32 octets in base64url", d.path(name))
	}
	return secret.New(b), nil
}

func (d dataDir) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// running says where a running issuer listens. A file that was left behind by a
// crash is as good as none: nobody answers there.
type running struct {
	URL   string `json:"url"`
	Admin string `json:"admin"`
	PID   int    `json:"pid"`
}

func (d dataDir) setRunning(r running) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	temporary := d.path(".new-" + runningFile)
	if err := os.WriteFile(temporary, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, d.path(runningFile))
}

func (d dataDir) running() (r running, err error) {
	b, err := os.ReadFile(d.path(runningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("no issuer runs on %s", d)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", d.path(runningFile), err)
	}
	return r, nil
}

// secretFile reads an operator's secret: the file's octets without the newline
// at its end. Others than owner and group must have no access.
func secretFile(path string) (secret.Bytes, error) {
	info, err := os.Stat(path)
	if err != nil {
		return secret.Bytes{}, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return secret.Bytes{}, fmt.Errorf("%s: others have access to a secret: mode %04o", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return secret.Bytes{}, err
	}
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	return secret.New(b), nil
}
