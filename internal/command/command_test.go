package command

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestStatus(t *testing.T) {
	all := []Command{{"greet", "say hello", func(args []string, stdout, stderr io.Writer) error {
		f := NewFlags("p greet", stderr)
		loud := f.Bool("loud", false, "shout")
		if err := f.Read(args, 1); err != nil {
			return err
		}
		if f.Arg(0) == "nobody" {
			return errors.New("nobody there")
		}
		if *loud {
			io.WriteString(stdout, "HELLO ")
		}
		io.WriteString(stdout, f.Arg(0))
		return nil
	}}}
	for _, c := range []struct {
		line   string
		status int
		stdout string
		stderr string // a part
	}{
		{"greet -loud world", 0, "HELLO world", ""},
		{"greet -help", 0, "", "shout"},
		{"greet nobody", 1, "", "p: nobody there\n"},
		{"greet", 2, "", "p greet takes 1 arguments after the flags, not 0"},
		{"greet -soft world", 2, "", "not defined: -soft"},
		{"part", 2, "", "usage: p command [flags]\n  greet    say hello\n"},
		{"", 2, "", "usage: p command"},
	} {
		var stdout, stderr bytes.Buffer
		if got := Run("p", all, strings.Fields(c.line), &stdout, &stderr); got != c.status || stdout.String() != c.stdout || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%q: status %d, %q, %q", c.line, got, stdout.String(), stderr.String())
		}
	}
}
