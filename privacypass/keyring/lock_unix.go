//go:build unix

package keyring

import (
	"os"
	"path/filepath"
	"syscall"
)

// lock excludes other programs from changing the directory until the returned
// function is called. The lock ends with the process that holds it.
func (d directory) lock() (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(string(d), lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f.Close, nil
}
