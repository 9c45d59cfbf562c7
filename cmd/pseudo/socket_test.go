package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client"
)

// echoWork stands for a command: it says what it was told, and fails or waits if
// that is what it was told.
type echoWork struct {
	plain
	Text string
}

func (w *echoWork) take(args []string, _ terminal) error { return oneName(&w.Text, args) }

func (w *echoWork) do(ctx context.Context, s *session) error {
	fmt.Fprintln(s.out, w.Text)
	notesOf(ctx).say("a note")
	switch w.Text {
	case "fail":
		return client.ErrLost
	case "wait":
		<-ctx.Done()
		close(waited)
		return ctx.Err()
	}
	return nil
}

var echo = command{"echo", "TEXT", "", shared, 0, func() work { return new(echoWork) }}

// waited is closed when the command of the present counter that waits has ended.
var waited chan struct{}

// counterAt takes commands at a place until the test ends.
func counterAt(t *testing.T, ctx context.Context, dir string) *counter {
	t.Helper()
	known := commands
	waited = make(chan struct{})
	commands = append(commands[:len(commands):len(commands)], echo)
	c, err := (&session{location: &location{dir: dir}}).serve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.close(); commands = known })
	return c
}

// begun is an output that says when the first of it comes.
type begun struct {
	bytes.Buffer
	once sync.Once
	say  func()
}

func (b *begun) Write(p []byte) (int, error) {
	b.once.Do(b.say)
	return b.Buffer.Write(p)
}

// order1 has one command carried out elsewhere, and says when it has begun.
func order1(t *testing.T, ctx context.Context, dir, text string, say func()) (out, notes string, err error) {
	t.Helper()
	l, err := dial(&location{dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o, n := begun{say: say}, bytes.Buffer{}
	err = l.forward(ctx, &echo, &echoWork{Text: text}, terminal{nil, &o, &n})
	return o.String(), n.String(), err
}

func TestCommandsGoToTheProcessThatListens(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/"+socketFile, nil, 0o600); err != nil { // of a process that was killed
		t.Fatal(err)
	}
	counterAt(t, t.Context(), dir)
	if info, err := os.Stat(dir + "/" + socketFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info.Mode(), err)
	}
	out, notes, err := order1(t, t.Context(), dir, "hello", func() {})
	if out != "hello\n" || notes != "a note\n" || err != nil {
		t.Errorf("%q, %q, %v", out, notes, err)
	}
	_, _, err = order1(t, t.Context(), dir, "fail", func() {})
	if text, code := explain(err); code != exitRefused || !strings.Contains(text, "group rejoin") {
		t.Errorf("%q, %d", text, code)
	}
}

// TestHangingUpEndsTheCommand: an interrupted command does not go on in the
// process that listens.
func TestHangingUpEndsTheCommand(t *testing.T) {
	dir := t.TempDir()
	counterAt(t, t.Context(), dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, _, err := order1(t, ctx, dir, "wait", cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	select {
	case <-waited:
	case <-time.After(longest):
		t.Fatal("the command goes on")
	}
}

// TestInterruptedBeforeItIsTold: a command that is interrupted while it is handed over
// says so.
func TestInterruptedBeforeItIsTold(t *testing.T) {
	dir := t.TempDir()
	counterAt(t, t.Context(), dir)
	l, err := dial(&location{dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.SetDeadline(time.Now()) // as the interruption does, however late it comes to that
	if err := l.forward(ctx, &echo, &echoWork{Text: "hello"}, terminal{nil, io.Discard, io.Discard}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestEndOfTheListenerIsTold: who waits for a process that ends is told so.
func TestEndOfTheListenerIsTold(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	counterAt(t, ctx, dir)
	if _, _, err := order1(t, t.Context(), dir, "wait", cancel); err == nil {
		t.Error("no error")
	}
}

func TestBadOrders(t *testing.T) {
	dir := t.TempDir()
	counterAt(t, t.Context(), dir)
	for name, line := range map[string]string{
		"another version": `{"version": 2, "command": "echo", "work": {}}`,
		"no command":      `{"version": 1, "command": "nothing", "work": {}}`,
		"not shared":      `{"version": 1, "command": "listen", "work": {}}`,
		"other work":      `{"version": 1, "command": "echo", "work": {"Text": 1}}`,
		"no JSON":         `hello`,
	} {
		l, err := dial(&location{dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(l, line+"\n")
		var o outcome
		if err := json.NewDecoder(l).Decode(&o); err != nil || !o.Done || o.Error == "" || o.Code != exitRefused {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
		l.Close()
	}
	if _, err := dial(&location{dir: strings.Repeat("a", maxSocketPath)}); err == nil {
		t.Error("a path that the system does not take")
	}
}
