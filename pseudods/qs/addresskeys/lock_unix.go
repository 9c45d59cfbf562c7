//go:build unix

package addresskeys

import (
	"os"
	"syscall"
)

// lock excludes other processes from changing the directory until the returned
// function is called. The lock ends with the process that holds it.
func (r *Ring) lock() (unlock func() error, err error) {
	f, err := os.Open(r.config.Dir)
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
