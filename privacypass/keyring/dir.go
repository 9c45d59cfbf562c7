package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pseudods/pseudods/internal/secret"
)

// ErrMode: others than the owner have access to the directory or a key file.
var ErrMode = errors.New("keyring: permissions are wider than the owner's")

const (
	temporary = ".new-"
	lockName  = "lock"
	maxFile   = 8 << 10
)

// directory is a directory of key files.
type directory string

// create makes the directory if it is absent, and checks its mode.
func (d directory) create() error {
	if err := os.Mkdir(string(d), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.check()
}

func (d directory) check() error {
	info, err := os.Stat(string(d))
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("keyring: %s is not a directory", d)
	}
	return checkMode(string(d), info)
}

func checkMode(path string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %04o", ErrMode, path, info.Mode().Perm())
	}
	return nil
}

// load reads all keys, in order of slot and start. It needs no lock: files
// appear and disappear whole.
func (d directory) load() ([]*Key, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var keys []*Key
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporary) || e.Name() == lockName {
			continue
		}
		k, err := d.read(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since the listing
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(string(d), e.Name()), err)
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys, nil
}

func compare(a, b *Key) int {
	if c := strings.Compare(a.Class, b.Class); c != 0 {
		return c
	}
	if c := int(a.Slot.Type) - int(b.Slot.Type); c != 0 {
		return c
	}
	return a.NotBefore.Compare(b.NotBefore)
}

func (d directory) read(name string) (*Key, error) {
	f, err := os.Open(filepath.Join(string(d), name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkMode(name, info); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%w: not a small regular file", ErrFile)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, err
	}
	content := secret.New(b)
	defer content.Wipe()
	k, err := parseKey(content)
	if err != nil {
		return nil, err
	}
	if k.fileName() != name {
		return nil, fmt.Errorf("%w: the content belongs in %s", ErrFile, k.fileName())
	}
	return k, nil
}

// add writes a key's file: whole under a temporary name, synced, renamed, and
// the directory synced. A crash leaves the key, or at most a temporary file.
func (d directory) add(k *Key) error {
	content := k.marshal()
	defer content.Wipe()
	f, err := os.CreateTemp(string(d), temporary) // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content.Reveal())
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(string(d), k.fileName()))
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return d.sync()
}

// remove deletes a key's file. What the disk keeps of deleted files is beyond
// this program.
func (d directory) remove(k *Key) error {
	if err := os.Remove(filepath.Join(string(d), k.fileName())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.sync()
}

// sweep deletes what interrupted writes left. The caller holds the lock.
func (d directory) sweep() error {
	left, err := filepath.Glob(filepath.Join(string(d), temporary+"*"))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func (d directory) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
