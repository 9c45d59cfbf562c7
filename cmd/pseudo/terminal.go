package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/pseudods/pseudods/internal/secret"
)

// terminal is what a process reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

// file returns the descriptor of an end that is a terminal.
func file(end any) (int, bool) {
	f, ok := end.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// ask asks for a secret, which is not shown.
func (t terminal) ask(prompt string) (secret.Bytes, error) {
	fd, ok := file(t.in)
	if !ok {
		return secret.Bytes{}, errors.New("there is no terminal to ask for a secret on; name a file that holds it")
	}
	fmt.Fprint(t.err, prompt)
	b, err := term.ReadPassword(fd)
	fmt.Fprintln(t.err)
	return secret.New(b), err
}

// notes are for the person who waits, and not part of a command's output.
type notes struct {
	w    io.Writer
	live bool // lines can be written again
}

func notesTo(w io.Writer) notes {
	_, live := file(w)
	return notes{w, live}
}

func (n notes) say(format string, args ...any) { fmt.Fprintf(n.w, format+"\n", args...) }

// during says what goes on until the returned function is called, and on a
// terminal for how long.
func (n notes) during(what string) (done func()) {
	began := time.Now()
	if !n.live {
		n.say("%s", what)
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	show := func() { fmt.Fprintf(n.w, "\r%s: %d s ", what, int(time.Since(began).Seconds())) }
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			show()
			select {
			case <-stop:
				show()
				fmt.Fprintln(n.w)
				return
			case <-tick.C:
			}
		}
	}()
	return sync.OnceFunc(func() { close(stop); <-stopped })
}
