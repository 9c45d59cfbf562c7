package pgserver

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kill ends all of the server's processes by signal 9, first the one that would
// tell the others to end or start new ones.
func (s *Server) Kill() error {
	if s.server == nil || s.server.Process == nil {
		return errors.New("pgserver: the server does not run")
	}
	err := KillAll(s.server.Process.Pid)
	<-s.exited
	s.server = nil
	return err
}

// Hold stops the server's processes that send to standbys: what is committed from
// now on stays here. Only [Server.Kill] follows well.
func (s *Server) Hold() error {
	if s.server == nil || s.server.Process == nil {
		return errors.New("pgserver: the server does not run")
	}
	return HoldSenders(s.server.Process.Pid)
}

// HoldSenders is Hold for a server that another program has started.
func HoldSenders(pid int) error {
	children, err := Children(pid)
	if err != nil {
		return err
	}
	held := 0
	for _, child := range children {
		title, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child))
		if strings.Contains(string(title), "walsender") {
			if err := syscall.Kill(child, syscall.SIGSTOP); err != nil {
				return err
			}
			held++
		}
	}
	if held == 0 {
		return errors.New("pgserver: the server sends to no standby")
	}
	return nil
}

// KillAll ends a process and its children by signal 9 and waits for the children's
// end. It is for Linux.
func KillAll(pid int) error {
	// Stopped, it starts no more of them; those that it was about to start it has.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	children, err := Children(pid)
	if err := errors.Join(err, syscall.Kill(pid, syscall.SIGKILL)); err != nil {
		return err
	}
	for _, child := range children {
		syscall.Kill(child, syscall.SIGKILL) // it may have ended
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		left := 0
		for _, child := range children {
			if alive(child) {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("pgserver: %d processes do not end", left)
		}
	}
}

// Children returns the processes that a process has started, as Linux tells them.
func Children(pid int) (out []int, err error) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, err
	}
	for _, t := range threads {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range strings.Fields(string(b)) {
			n, err := strconv.Atoi(f)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
		}
	}
	return out, nil
}

// alive reports whether a process still runs: one that waits to be reaped does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}
