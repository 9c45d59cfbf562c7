//go:build !linux

package badger

import "os"

// syncData makes the octets of a file durable.
func syncData(f *os.File) error { return f.Sync() }
