//go:build !(linux || darwin || freebsd)

package wallet

import "os"

// lock locks nothing where the standard library cannot: see to it that only one
// process uses the file.
func lock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}
