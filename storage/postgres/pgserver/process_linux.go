package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// account is whom a server runs as: it refuses to run as root. Nil is the caller.
type account struct{ uid, gid uint32 }

func lookup() (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			return &account{uint32(uid), uint32(gid)}, errors.Join(err1, err2)
		}
	}
	return nil, errors.New("pgserver: no user to run a server as")
}

func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

func (a *account) run(cmd *exec.Cmd) {
	if cmd.SysProcAttr = new(syscall.SysProcAttr); a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
}

// endWithParent ends a server when this process ends. The signal comes when the
// thread ends that started it, so that must be one that stays.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT }

// tick is the unit of times in /proc, see proc(5): sysconf(_SC_CLK_TCK), which is
// 100 everywhere.
const tick = 10 * time.Millisecond

// Processor is the time that all of the server's processes have used, those that
// have ended included. It is 0 where it cannot be told.
func (s *Server) Processor() time.Duration {
	if s.server == nil {
		return 0
	}
	postmaster := strconv.Itoa(s.server.Process.Pid)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var ticks int64
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// After the name, which may hold anything: state, parent, ...
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		const parent, user, system, endedUser, endedSystem = 1, 11, 12, 13, 14
		of := []int{user, system}
		if path == "/proc/"+postmaster+"/stat" {
			of = append(of, endedUser, endedSystem)
		} else if f[parent] != postmaster {
			continue
		}
		for _, i := range of {
			n, _ := strconv.ParseInt(f[i], 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}
