package storagetest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const (
	traceExitKill  = 0x100000   // PTRACE_O_EXITKILL
	waitThread     = 0x20000000 // __WNOTHREAD: children of this thread alone
	syscallStopBit = 0x80
)

// EachState runs a test of this binary as a process of its own, with more in its
// environment, and stops it at the begin and the end of each of its system calls. It
// calls look with a copy of the flat directory dir for each state that dir is found in
// then, by names, sizes, and identities of its files: what a kill at that moment leaves.
// It returns how many there were. The test is skipped where processes cannot be traced.
func EachState(t *testing.T, dir, test, env string, look func(state string)) (states int) {
	t.Helper()
	runtime.LockOSThread() // one thread traces
	defer runtime.UnlockOSThread()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	child := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	child.Env = append(os.Environ(), env)
	child.Stdout, child.Stderr = log, log
	child.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := child.Start(); errors.Is(err, syscall.EPERM) {
		t.Skipf("no process can be traced here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer child.Process.Release()
	pid := child.Process.Pid
	var status syscall.WaitStatus
	_, err = syscall.Wait4(pid, &status, 0, nil) // for its own program
	if err == nil {
		err = syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE|traceExitKill)
	}
	if err == nil {
		err = syscall.PtraceSyscall(pid, 0)
	}
	if err != nil {
		child.Process.Kill()
		t.Fatal(err)
	}
	last := ""
	for {
		thread, err := syscall.Wait4(-1, &status, syscall.WALL|waitThread, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if thread == pid && (status.Exited() || status.Signaled()) {
			break
		}
		if !status.Stopped() {
			continue // a thread has ended
		}
		pass := status.StopSignal()
		switch pass {
		case syscall.SIGTRAP | syscallStopBit:
			pass = 0
			now, err := fileState(dir)
			if err != nil {
				t.Fatal(err)
			}
			if now != last {
				last = now
				states++
				state := filepath.Join(t.TempDir(), "state")
				if err := CopyLive(dir, state); err != nil {
					t.Fatal(err)
				}
				look(state)
			}
		case syscall.SIGTRAP, syscall.SIGSTOP: // a thread has begun
			pass = 0
		}
		if err := syscall.PtraceSyscall(thread, int(pass)); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	if status.ExitStatus() != 0 {
		b, _ := os.ReadFile(log.Name())
		t.Fatalf("the process ended with %d: %s", status.ExitStatus(), b)
	}
	return states
}

// fileState tells states of a directory apart. While one thread is stopped another may
// be in a system call, which changes one thing, and then stops.
func fileState(dir string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return fileState(dir)
		}
		if err != nil {
			return "", err
		}
		s, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return "", errors.New("storagetest: a file without a number")
		}
		fmt.Fprintln(&b, f.Name(), s.Ino, s.Size, s.Mtim)
	}
	return b.String(), nil
}
