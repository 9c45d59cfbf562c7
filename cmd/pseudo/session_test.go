package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
)

// TestCommandsWaitForOneAnother: a command that finds the state in use waits, and
// says at last who has it.
func TestCommandsWaitForOneAnother(t *testing.T) {
	t.Parallel()
	l := &location{dir: t.TempDir()}
	key, err := makeKey(l.path(keyFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.putSettings(&settings{Server: "http://127.0.0.1:1", Domain: "localhost"}); err != nil {
		t.Fatal(err)
	}
	hold := func() *session {
		s := &session{command: "maintain", location: l}
		if err := s.lock(secret.Clone(key.Reveal())); err != nil {
			t.Fatal(err)
		}
		return s
	}
	status := func() (string, int) {
		var out, err bytes.Buffer
		code := run(t.Context(), []string{"-state", l.dir, "status"}, terminal{strings.NewReader(""), &out, &err})
		return err.String(), code
	}
	s := hold()
	began := time.Now()
	text, code := status()
	if want := fmt.Sprintf("process %d (pseudo maintain) has the state", os.Getpid()); code != exitRefused || !strings.Contains(text, want) {
		t.Errorf("%q, %d", text, code)
	}
	if time.Since(began) < patience {
		t.Error("it did not wait")
	}
	time.AfterFunc(200*time.Millisecond, func() { s.close() })
	// The state is there now, and nothing is in it.
	if text, code := status(); code != exitRefused || !strings.Contains(text, "the account is not complete") {
		t.Errorf("%q, %d", text, code)
	}
	if _, err := os.Stat(l.path(holderFile)); err == nil {
		t.Error("somebody still has the state")
	}
}
