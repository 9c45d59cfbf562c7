//go:build !linux

package powerloss

import "testing"

// Disk is a file system on a disk that loses power. There is none here.
type Disk struct{}

// Config says what kind of disk it is.
type Config struct {
	Size int64
	Lies bool
}

// Mount skips the test.
func Mount(t testing.TB, _ Config) *Disk {
	t.Helper()
	t.Skip("power loss is not tested: it takes Linux")
	return nil
}

// Dir is not reached.
func (*Disk) Dir() string { return "" }

// Traffic is not reached.
func (*Disk) Traffic() (writes, flushes int) { return 0, 0 }

// Cut is not reached.
func (*Disk) Cut(float64, func(string) error) error { return nil }
