package daemon

import (
	"runtime/debug"
	"testing"
)

// TestCollectRarely: what the environment says goes first.
func TestCollectRarely(t *testing.T) {
	before := debug.SetGCPercent(50)
	defer debug.SetGCPercent(before)
	for env, want := range map[string]int{"70": 50, "": heapGrowth} {
		debug.SetGCPercent(50)
		t.Setenv("GOGC", env)
		CollectRarely()
		if got := debug.SetGCPercent(50); got != want {
			t.Errorf("with GOGC=%q: %d, want %d", env, got, want)
		}
	}
}
