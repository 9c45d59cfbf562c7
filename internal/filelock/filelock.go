// Package filelock keeps processes from using a file or directory at the same time,
// by advisory locks that the system releases when their holder ends, however it ends.
// Where the system has none nothing is locked, and operators must see to it.
package filelock

import (
	"errors"
	"os"
)

// ErrLocked: another has the lock.
var ErrLocked = errors.New("filelock: locked by another")

// Lock holds a lock until it is closed.
type Lock struct{ file *os.File }

// Try locks a file, which it makes with mode 0600 if there is none. It fails with
// [ErrLocked] if another process has it, or this one.
func Try(path string) (*Lock, error) {
	return open(path, os.O_RDWR|os.O_CREATE, try)
}

// TryDir is Try for a directory, which must be there. It leaves nothing in it.
func TryDir(path string) (*Lock, error) { return open(path, os.O_RDONLY, try) }

// Wait locks such a file as soon as nobody else has it.
func Wait(path string) (*Lock, error) {
	return open(path, os.O_RDWR|os.O_CREATE, wait)
}

// WaitDir is Wait for a directory, which must be there. It leaves nothing in it.
func WaitDir(path string) (*Lock, error) { return open(path, os.O_RDONLY, wait) }

func open(path string, flag int, take func(*os.File) error) (*Lock, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := take(f); err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

// Close releases the lock.
func (l *Lock) Close() error { return l.file.Close() }
