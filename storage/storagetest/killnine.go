package storagetest

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// RunKilled runs a test of this binary as a process of its own, with more in its
// environment, kills it once it has printed so many lines, and returns all that
// it printed. A kill proves nothing about what was synced: the system's cache
// outlives the process.
func RunKilled(t *testing.T, test, env string, enough int) (lines []string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	child.Env = append(os.Environ(), env)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(2*time.Minute, func() { child.Process.Kill() })
	defer stuck.Stop()
	for in := bufio.NewScanner(out); in.Scan(); {
		if lines = append(lines, in.Text()); len(lines) == enough {
			if err := child.Process.Kill(); err != nil { // and read on: what it printed until then
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || len(lines) < enough {
		t.Fatalf("the process ended with %v after %d lines", err, len(lines))
	}
	return lines
}

// KillRounds is how often a test should kill: as often as the environment
// variable KILL_ROUNDS says, or few times.
func KillRounds(t *testing.T) int {
	s := os.Getenv("KILL_ROUNDS")
	if s == "" {
		return 4
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("KILL_ROUNDS is %q", s)
	}
	return n
}
