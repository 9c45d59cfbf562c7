//go:build !(linux || darwin || freebsd)

package badger

import "math"

// freeSpace is unlimited where the standard library cannot ask: the operator
// must watch the disk.
func freeSpace(string) (uint64, error) { return math.MaxUint64, nil }
