package powerloss

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
)

// Writer is a process that writes to a disk.
type Writer struct {
	// mu guards lines.
	mu    sync.Mutex
	lines []string
	child *exec.Cmd
	ended chan struct{}
}

// Start runs a test of this binary as a process of its own, with more in its
// environment, until the end of the test. The process prints a line for each write
// that it would acknowledge.
func Start(t testing.TB, test, env string) *Writer {
	t.Helper()
	w := &Writer{child: exec.Command(os.Args[0], "-test.run=^"+test+"$"), ended: make(chan struct{})}
	w.child.Env = append(os.Environ(), env)
	w.child.Stderr = os.Stderr
	out, err := w.child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.child.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		for in := bufio.NewScanner(out); in.Scan(); {
			w.mu.Lock()
			w.lines = append(w.lines, in.Text())
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		w.child.Process.Kill()
		<-w.ended
		w.child.Wait()
	})
	return w
}

// Acknowledged returns the lines so far. Ask before a cut: what is acknowledged
// after it may be lost.
func (w *Writer) Acknowledged() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.lines...)
}

// Ended reports whether the process has ended, which it should not.
func (w *Writer) Ended() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// CutsOfDisk is how many cuts a disk serves for: a writer fills it.
const CutsOfDisk = 6

// Disks is how many disks a test should use, each for [CutsOfDisk] cuts: enough for
// the cuts that the environment variable POWER_CUTS asks for, or one.
func Disks(t testing.TB) int {
	s := os.Getenv("POWER_CUTS")
	if s == "" {
		return 1
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("POWER_CUTS is %q", s)
	}
	return (n + CutsOfDisk - 1) / CutsOfDisk
}
