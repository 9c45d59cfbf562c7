//go:build !(linux || darwin || freebsd)

package vault

import "os"

// lock locks nothing where the standard library cannot: see to it that only one
// process uses the directory.
func lock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}
