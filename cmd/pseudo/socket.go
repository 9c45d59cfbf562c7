package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// A process that listens takes commands through a socket in the state directory,
// whose mode keeps others out. One connection carries one command: an
// [order] there, [outcome]s back, as JSON. Hanging up ends the command.
const (
	socketFile = "socket"
	// socketVersion changes with the works' encoding: a program that was replaced
	// while the old one listens is told.
	socketVersion = 1
	// maxSocketPath is what the system takes, with room to spare.
	maxSocketPath = 100
	maxOrder      = 4 << 20
)

// order is a command to carry out.
type order struct {
	Version int             `json:"version"`
	Command string          `json:"command"`
	Work    json.RawMessage `json:"work"`
	Live    bool            `json:"live"` // notes go to a terminal
}

// outcome is part of what came of a command. The one with Done is the last.
type outcome struct {
	Out   []byte `json:"out,omitempty"`
	Note  []byte `json:"note,omitempty"`
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
	Code  int    `json:"code,omitempty"`
}

// reported is an error that the other process has explained.
type reported struct {
	text string
	code int
}

func (r *reported) Error() string { return r.text }

// listener is a process that listens, as another one reaches it.
type listener struct {
	net.Conn
	*location
}

func dial(l *location) (*listener, error) {
	if err := checkSocket(l); err != nil {
		return nil, err
	}
	c, err := net.DialTimeout("unix", l.path(socketFile), patience)
	return &listener{c, l}, err
}

func checkSocket(l *location) error {
	if len(l.path(socketFile)) > maxSocketPath {
		return fmt.Errorf("the path of the state directory is too long: at most %d octets", maxSocketPath-len("/"+socketFile))
	}
	return nil
}

// refusal says why this process cannot listen too.
func (l *listener) refusal() error {
	return fmt.Errorf("%s listens already: end it first, or use `pseudo send`", l.holder())
}

// forward has the other process do the work.
func (l *listener) forward(ctx context.Context, c *command, w work, t terminal) error {
	defer context.AfterFunc(ctx, func() { l.SetDeadline(time.Now()) })()
	b, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(l).Encode(order{socketVersion, c.name, b, notesTo(t.err).live}); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	for d := json.NewDecoder(l); ; {
		var o outcome
		if err := d.Decode(&o); err != nil {
			return errors.Join(ctx.Err(), errors.New("the process that listens ended before this was done"))
		}
		if _, err := t.out.Write(o.Out); err != nil {
			return err
		}
		t.err.Write(o.Note)
		switch {
		case o.Done && o.Error != "":
			return &reported{o.Error, o.Code}
		case o.Done:
			return nil
		}
	}
}

// counter takes commands for a session that stays open.
type counter struct {
	s      *session
	l      net.Listener
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// serve takes commands, and does what is due now and then, until the context ends
// or the counter is closed.
func (s *session) serve(ctx context.Context) (*counter, error) {
	if err := checkSocket(s.location); err != nil {
		return nil, err
	}
	path := s.path(socketFile)
	os.Remove(path) // of a process that was killed: this one has the vault
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &counter{s: s, l: l, cancel: cancel}
	c.work.Go(func() { s.tend(ctx) })
	c.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.work.Go(func() { c.take(ctx, conn) })
		}
	})
	return c, nil
}

// close takes no more commands and ends those under way.
func (c *counter) close() error {
	err := c.l.Close()
	c.cancel()
	c.work.Wait()
	return err
}

// take carries out one command.
func (c *counter) take(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Now())
		conn.SetWriteDeadline(time.Now().Add(time.Second))
	})()
	var o order
	if json.NewDecoder(io.LimitReader(conn, maxOrder)).Decode(&o) != nil {
		o = order{} // of no version
	}
	answers := &answers{e: json.NewEncoder(conn)}
	go func() { // nothing more comes but the end
		conn.Read(make([]byte, 1))
		cancel()
	}()
	last := outcome{Done: true}
	if err := c.carryOut(ctx, &o, answers); err != nil {
		last.Error, last.Code = explain(err)
	}
	answers.send(last)
}

func (c *counter) carryOut(ctx context.Context, o *order, a *answers) error {
	if o.Version != socketVersion {
		return errors.New("another version of this program listens: end it and start it again")
	}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == o.Command && c.place == shared })
	if i < 0 {
		return fmt.Errorf("the process that listens does not know %q: end it and start it again", o.Command)
	}
	w := commands[i].work()
	if err := json.Unmarshal(o.Work, w); err != nil {
		return err
	}
	s := *c.s
	s.command, s.terminal = o.Command, terminal{out: stream{a, false}, err: stream{a, true}}
	s.notes, s.served = notes{stream{a, true}, o.Live}, true
	return w.do(withNotes(ctx, s.notes), &s)
}

// answers sends outcomes, one at a time.
type answers struct {
	mu sync.Mutex
	e  *json.Encoder
}

func (a *answers) send(o outcome) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.e.Encode(o)
}

// stream is a command's output on the way to who asked for it.
type stream struct {
	a    *answers
	note bool
}

func (s stream) Write(b []byte) (int, error) {
	o := outcome{Out: b}
	if s.note {
		o = outcome{Note: b}
	}
	if err := s.a.send(o); err != nil {
		return 0, err
	}
	return len(b), nil
}
