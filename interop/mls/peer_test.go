// Package interop holds groups whose members are partly package mls/group and
// partly ts-mls, an implementation that nobody here wrote, with mls/publicgroup
// as their delivery service. The tests need node and the modules of
// package-lock.json: ./run installs these and runs the tests. Without it, they
// are skipped.
package interop

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// enabled is set in the environment by ./run.
const enabled = "PSEUDODS_INTEROP"

// octets is an octet string as peer.mjs reads and writes it.
type octets []byte

func (o octets) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"b64": base64.StdEncoding.EncodeToString(o)})
}

func (o *octets) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*[]byte)(o)) }

// peer is a running peer.mjs. One test has it at a time.
type peer struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	made int // members so far
}

// idle are the running peers that no test has, one per processor: it takes node
// longer to start than to play most scenarios.
var idle chan *peer

func TestMain(m *testing.M) {
	if os.Getenv(enabled) == "" {
		os.Exit(m.Run())
	}
	os.Exit(withPeers(runtime.GOMAXPROCS(0), m.Run))
}

// withPeers runs f while n peers are there, and returns its exit code, or 1 if
// a peer does not start or does not end well.
func withPeers(n int, f func() int) int {
	var peers []*peer
	code := 0
	failed := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "peer.mjs:", err)
			code = 1
		}
	}
	idle = make(chan *peer, n)
	for range n {
		p, err := startPeer()
		failed(err)
		if err == nil {
			peers = append(peers, p)
			idle <- p
		}
	}
	if code == 0 {
		code = f()
	}
	for _, p := range peers {
		failed(p.stop())
	}
	return code
}

// takePeer gives a parallel test a peer of its own. It skips a test that runs
// without ./run.
func takePeer(t *testing.T) *peer {
	t.Helper()
	if idle == nil {
		t.Skipf("needs node and ts-mls: run interop/mls/run, which sets %s", enabled)
	}
	t.Parallel()
	p := <-idle
	t.Cleanup(func() { idle <- p })
	return p
}

func startPeer() (*peer, error) {
	p := &peer{cmd: exec.Command("node", "peer.mjs")}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// stop lets the peer end with its stdin, and kills it if it does not.
func (p *peer) stop() error {
	p.in.Close()
	late := time.AfterFunc(time.Minute, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	return p.cmd.Wait()
}

// peerError is what ts-mls or member.mjs threw.
type peerError struct{ Name, Message string }

func (e *peerError) Error() string { return e.Name + ": " + e.Message }

// call has one of the peer's members do something, and decodes the result into
// out, which may be nil.
func (p *peer) call(member, call string, args, out any) error {
	if args == nil {
		args = struct{}{}
	}
	request, err := json.Marshal(map[string]any{"member": member, "call": call, "args": args})
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(request, '\n')); err != nil {
		return err
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("peer.mjs: %w", err)
	}
	var failed struct{ Error *peerError }
	if err := json.Unmarshal(line, &failed); err != nil {
		return err
	}
	if failed.Error != nil {
		return failed.Error
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(line, out)
}
