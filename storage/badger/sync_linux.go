package badger

import (
	"os"
	"syscall"
)

// syncData makes the octets of a file durable, whose blocks exist.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
