package daemon

import (
	"os"
	"runtime/debug"
)

// heapGrowth is by how many percent of what is live the heap grows before it is
// collected.
const heapGrowth = 300

// CollectRarely lets the heap grow to four times what is live, unless the environment
// has GOGC. Little lives in a server for long, and collections at every doubling, which
// is Go's default, take a seventh of its processor time. GOMEMLIMIT bounds it as ever.
func CollectRarely() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}
