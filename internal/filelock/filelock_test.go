//go:build linux || darwin || freebsd

package filelock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestOneAtATime: who tries is refused, and who waits goes on, once it is released.
func TestOneAtATime(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lock")
	first, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := Try(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("again: %v", err)
	}
	waited := make(chan error)
	go func() {
		second, err := Wait(path)
		if err == nil {
			err = second.Close()
		}
		waited <- err
	}()
	select {
	case err := <-waited:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := errors.Join(first.Close(), <-waited); err != nil {
		t.Fatal(err)
	}
	again, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if _, err := WaitDir(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	d, err := WaitDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryDir(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("a locked directory: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
