//go:build unix

package abuse

import (
	"syscall"
	"time"
)

// processor is the time that this process has used of all processors.
func processor() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
