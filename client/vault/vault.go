package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pseudods/pseudods/internal/filelock"
	"github.com/pseudods/pseudods/internal/secret"
)

// The errors of this package, beside those of the file system. No text names a
// record.
var (
	// ErrVault: a file is not of this vault, is damaged, or was sealed under
	// another key; which of them cannot be told.
	ErrVault = errors.New("vault: cannot open")
	// ErrInUse: another process or Vault has the directory.
	ErrInUse = errors.New("vault: directory in use")
	// ErrNotFound: there is no record of that name.
	ErrNotFound = errors.New("vault: no such record")
	// ErrTooLarge: a name or a record is longer than it may be, or a name empty.
	ErrTooLarge = errors.New("vault: size out of bounds")
	// ErrClosed: the vault is closed.
	ErrClosed = errors.New("vault: closed")
)

// Names of files. Those of records follow from the names of records; other files
// in the directory are somebody else's, such as [Vault.File]'s.
const (
	lockFile     = "lock"
	recordPrefix = "r-"
	filePrefix   = "f-"
)

// Vault is an open vault. Its methods may be called concurrently.
type Vault struct {
	dir     string
	key     secret.Bytes
	nameKey secret.Bytes
	lock    *filelock.Lock
	at      func(step) error // tests crash here

	// mu guards what follows, and that of two changes of a record the later one
	// is on disk.
	mu     sync.RWMutex
	closed bool
	names  map[string]bool
}

// Open opens the vault in a directory, which it makes with mode 0700 if absent;
// the parent must exist. The key is [KeySize] uniformly random octets. It fails
// with [ErrInUse] or [ErrVault].
func Open(dir string, key secret.Bytes) (*Vault, error) {
	if key.Len() != KeySize {
		return nil, fmt.Errorf("%w: key of %d octets", ErrVault, key.Len())
	}
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	nameKey, err := derive(key, nil, namesLabel)
	if err != nil {
		return nil, err
	}
	f, err := filelock.Try(filepath.Join(dir, lockFile))
	if errors.Is(err, filelock.ErrLocked) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("vault: locking: %w", err)
	}
	v := &Vault{dir: dir, key: secret.Clone(key.Reveal()), nameKey: nameKey, lock: f, at: func(step) error { return nil }, names: map[string]bool{}}
	if err := v.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return v, nil
}

// load reads the names of all records, and removes what a crash left half
// written. One record, of the empty name, is always there, so that a vault
// without others knows its key too.
func (v *Vault) load() error {
	files, err := os.ReadDir(v.dir)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	for _, f := range files {
		if strings.Contains(f.Name(), temporary) {
			if err := os.Remove(filepath.Join(v.dir, f.Name())); err != nil {
				return fmt.Errorf("vault: %w", err)
			}
			continue
		}
		if !strings.HasPrefix(f.Name(), recordPrefix) {
			continue
		}
		name, err := v.readName(f.Name())
		if err != nil {
			return err
		}
		if v.file(name) != f.Name() {
			return fmt.Errorf("%w: record in another's place", ErrVault)
		}
		v.names[name] = true
	}
	if !v.names[""] {
		return v.put("", nil)
	}
	return nil
}

func (v *Vault) readName(file string) (string, error) {
	f, err := os.Open(filepath.Join(v.dir, file))
	if err != nil {
		return "", fmt.Errorf("vault: %w", err)
	}
	defer f.Close()
	head := make([]byte, headSize)
	if n, err := io.ReadFull(f, head); err != nil {
		return "", fmt.Errorf("%w: %d octets", ErrVault, n)
	}
	return openName(v.key, file, head)
}

// Close releases the directory. Everything is saved at all times.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	v.key.Wipe()
	return v.lock.Close()
}

func (v *Vault) file(name string) string { return recordPrefix + hashed(v.nameKey, name) }

func checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return ErrTooLarge
	}
	return nil
}

// Get returns a record. It fails with [ErrNotFound] or [ErrVault].
func (v *Vault) Get(name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, ErrClosed
	}
	if !v.names[name] {
		return nil, ErrNotFound
	}
	file := v.file(name)
	b, err := os.ReadFile(filepath.Join(v.dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: a record was taken away", ErrVault)
	}
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	found, content, err := openRecord(v.key, file, b)
	if err == nil && found != name {
		err = fmt.Errorf("%w: record in another's place", ErrVault)
	}
	return content, err
}

// Put replaces a record, or makes it. It is durable when Put returns; after an
// error it is the old one or the new one, and is never lost. The name has 1 to
// [MaxName] octets, b at most [MaxRecord].
func (v *Vault) Put(name string, b []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	return v.put(name, b)
}

func (v *Vault) put(name string, b []byte) error {
	if len(b) > MaxRecord {
		return ErrTooLarge
	}
	file := v.file(name)
	sealed, err := sealRecord(v.key, rand.Reader, file, name, b)
	if err != nil {
		return err
	}
	there, err := replace(filepath.Join(v.dir, file), sealed, v.at)
	if there {
		v.names[name] = true
	}
	if err != nil {
		return fmt.Errorf("vault: saving: %w", err)
	}
	return nil
}

// Delete removes a record, durably; after an error it is there or gone. Deleting
// none is no error.
func (v *Vault) Delete(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	gone, err := remove(filepath.Join(v.dir, v.file(name)), v.at)
	if gone {
		delete(v.names, name)
	}
	if err != nil {
		return fmt.Errorf("vault: removing: %w", err)
	}
	return nil
}

// Names returns the names of the records that begin with a prefix, sorted.
func (v *Vault) Names(prefix string) ([]string, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, ErrClosed
	}
	var out []string
	for name := range v.names {
		if name != "" && strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// File returns the path of a file in the directory, and a key of [KeySize]
// octets, for a store that seals its own file, such as a wallet. Both follow from
// the name and the vault's key. That store may put files beside the path, whose
// names begin with it.
func (v *Vault) File(name string) (path string, key secret.Bytes, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return "", secret.Bytes{}, ErrClosed
	}
	if key, err = derive(v.key, nil, fileLabel+name); err != nil {
		return "", secret.Bytes{}, err
	}
	return filepath.Join(v.dir, filePrefix+hashed(v.nameKey, filePrefix+name)), key, nil
}
