// Package interop lets clients that run ts-mls, written from docs/protocol.md,
// and members that run package mls/group meet in groups of the real server
// program, over its documented HTTP protocol alone, with tokens of its issuer. The
// tests need node and the modules of package-lock.json: ./run installs these and
// runs the tests. Without it, they are skipped.
package interop

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
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

// longest is for how many seconds a read waits for what takes milliseconds on an
// idle machine: less than a service lets it.
const longest = 50

type object = map[string]any

// peer is a running peer.mjs.
type peer struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	made int // clients so far
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

// peerError is what was thrown in the peer. Its name is the code of a service's
// refusal.
type peerError struct{ Name, Message, Stack string }

func (e *peerError) Error() string { return e.Name + ": " + e.Message }

// call has one of the peer's clients do something, and decodes the result into
// out, which may be nil.
func (p *peer) call(client, call string, args, out any) error {
	if args == nil {
		args = struct{}{}
	}
	request, err := json.Marshal(object{"client": client, "call": call, "args": args})
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

// theirs is a client in the peer.
type theirs struct {
	*testing.T
	peer *peer
	name string
}

// open makes a client. What is special about it is said by client.mjs.
func open(t *testing.T, special ...object) *theirs {
	t.Helper()
	need(t)
	p := site.peer
	p.made++
	c := &theirs{t, p, fmt.Sprint("client ", p.made)}
	args := object{"base": site.base}
	for _, o := range special {
		maps.Copy(args, o)
	}
	c.do("open", args, nil)
	return c
}

func (c *theirs) call(call string, args, out any) error { return c.peer.call(c.name, call, args, out) }

// do is call for what must succeed.
func (c *theirs) do(call string, args, out any) {
	c.Helper()
	if err := c.call(call, args, out); err != nil {
		if e, ok := err.(*peerError); ok {
			c.Log(e.Stack)
		}
		c.Fatalf("%s, %s: %v", c.name, call, err)
	}
}

// event is what a client reports of an entry of its queue.
type event struct {
	Kind     string
	Text     string
	Epoch    uint64
	Sequence uint64
	Own      bool
}

// read returns what is in the client's queue, waiting for something.
func (c *theirs) read() []event {
	c.Helper()
	var out struct{ Events []event }
	c.do("poll", object{"wait": longest}, &out)
	return out.Events
}

func (c *theirs) stateKey() []byte {
	c.Helper()
	var out struct{ StateKey octets }
	c.do("key", nil, &out)
	return out.StateKey
}
