package daemon

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pseudods/pseudods/internal/secret"
)

// ErrMode: others than the owner have access to a directory or a secret.
var ErrMode = errors.New("permissions are wider than the owner's")

// Dir is the directory of everything that a program keeps.
type Dir string

// OpenDir makes the directory if it is absent, and checks its mode.
func OpenDir(path string) (Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s: %w: mode %04o", path, ErrMode, info.Mode().Perm())
	}
	return Dir(path), nil
}

// MakeParent makes the directory that a path is in, if it is absent.
func MakeParent(path string) error {
	_, err := OpenDir(filepath.Dir(path))
	return err
}

// Path returns the path of what the directory holds by that name.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name) }

// Secret returns the 32 octets of the named file, which it makes if it is absent.
// If several programs make it at once, one of them wins and all get its secret.
func (d Dir) Secret(name string) (secret.Bytes, error) {
	s, err := d.ReadSecret(name)
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
	if err := os.Link(f.Name(), d.Path(name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return secret.Bytes{}, err
	}
	if err := d.sync(); err != nil {
		return secret.Bytes{}, err
	}
	return d.ReadSecret(name)
}

// ReadSecret returns the 32 octets of the named file, which must be there.
func (d Dir) ReadSecret(name string) (secret.Bytes, error) {
	info, err := os.Stat(d.Path(name))
	if err != nil {
		return secret.Bytes{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return secret.Bytes{}, fmt.Errorf("%s: %w: mode %04o", d.Path(name), ErrMode, info.Mode().Perm())
	}
	text, err := os.ReadFile(d.Path(name))
	if err != nil {
		return secret.Bytes{}, err
	}
	defer clear(text)
	b, err := base64.URLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != 32 {
		return secret.Bytes{}, fmt.Errorf("%s: not 32 octets in base64url", d.Path(name))
	}
	return secret.New(b), nil
}

func (d Dir) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// SecretFile reads an operator's secret: the file's octets without the newline
// at its end. Others than owner and group must have no access.
func SecretFile(path string) (secret.Bytes, error) {
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
