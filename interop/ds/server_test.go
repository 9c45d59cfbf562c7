package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// site is the server that all tests use, and the peer with their clients.
var site struct {
	base string
	peer *peer
}

func TestMain(m *testing.M) {
	if os.Getenv(enabled) == "" {
		os.Exit(m.Run())
	}
	os.Exit(withSite(m.Run))
}

// withSite runs f while server and peer are there, and returns its exit code, or
// 1 if one of them does not start or does not end well.
func withSite(f func() int) (code int) {
	failed := func(what string, err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, what, err)
			code = 1
		}
	}
	s, err := startServer()
	if failed("server:", err); err != nil {
		return code
	}
	defer func() { failed("server:", s.stop()) }()
	if site.peer, err = startPeer(); err != nil {
		failed("peer.mjs:", err)
		return code
	}
	defer func() { failed("peer.mjs:", site.peer.stop()) }()
	site.base = s.base
	code = f()
	return code
}

// need skips a test that runs without ./run.
func need(t *testing.T) {
	t.Helper()
	if site.peer == nil {
		t.Skipf("needs node, ts-mls and the server program: run interop/ds/run, which sets %s", enabled)
	}
}

// server is a running server program.
type server struct {
	cmd  *exec.Cmd
	dir  string
	log  bytes.Buffer
	base string
}

// startServer runs the server program on a directory of its own. Its tokens cost
// little work, so that the tests are not about that.
func startServer() (s *server, err error) {
	s = new(server)
	if s.dir, err = os.MkdirTemp("", "interop-ds-"); err != nil {
		return nil, err
	}
	program, file := filepath.Join(s.dir, "pseudods"), filepath.Join(s.dir, "config.json")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/pseudods/pseudods/cmd/pseudods").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building: %w\n%s", err, out)
	}
	b, err := json.Marshal(object{"domain": "localhost", "data": filepath.Join(s.dir, "data"), "listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0",
		"issuer": object{"attesters": object{"proof_of_work": object{"memory_kib": 64, "passes": 1, "attempts": 2}}}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(program, "serve", "-config", file)
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	go io.Copy(io.Discard, out)
	s.base = strings.TrimSpace(url)
	return s, nil
}

// stop lets the server drain, and kills it if it does not.
func (s *server) stop() error {
	defer os.RemoveAll(s.dir)
	s.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(time.Minute, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, &s.log)
	}
	return nil
}
