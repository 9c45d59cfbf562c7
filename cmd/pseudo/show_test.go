package main

import (
	"bytes"
	"errors"
	"flag"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/internal/secret"
)

// TestOthersTextsAreHarmless: what others send neither moves the cursor nor turns
// the direction of writing, and no name looks like another line of this program.
func TestOthersTextsAreHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"hello":                  "hello",
		"two\nlines\n":           "two\n    lines",
		"\x1b[2Jgone":            `\u001b[2Jgone`,
		"over\rwritten":          "overwritten",
		"\u202eolleh":            `\u202eolleh`,
		"tab\there":              "tab here",
		"👩\u200d👧 grüß":          "👩\u200d👧 grüß",
		string([]byte{'a', 255}): "a\ufffd",
	} {
		if got := shown(in); got != want {
			t.Errorf("%q is shown as %q", in, got)
		}
	}
	for in, want := range map[string]string{
		"alice":             "alice",
		"Zoë_2@one.example": "Zoë_2@one.example",
		"bob: hi":           `"bob: hi"`,
		"a\nb":              `"a\nb"`,
		"unverified-1234":   `"unverified-1234"`,
		"":                  `""`,
	} {
		if got := named(in); got != want {
			t.Errorf("%q is named %s", in, got)
		}
	}
	if got := who(&client.Member{User: "\x12\x34\x56\x78\x9a"}); got != "unverified-12345678" {
		t.Errorf("somebody without a name is %s", got)
	}
}

// TestEveryEventIsTold: people and programs get to know of each kind.
func TestEveryEventIsTold(t *testing.T) {
	fallback := noticeOf(&client.Event{}, "")
	for k := client.EventMessage; k <= client.EventDropped; k++ {
		if eventNames[k] == "" {
			t.Errorf("kind %d has no name for programs", k)
		}
		if k < client.EventOffer && k != client.EventMessage && noticeOf(&client.Event{Kind: k}, "bob") == fallback {
			t.Errorf("kind %d has no words for people", k)
		}
	}
}

func TestSafetyCode(t *testing.T) {
	if got, want := safetyCode(secret.New(make([]byte, 32))), "00000 00000 00000 00000 00000 00000 00000 00000"; got != want {
		t.Errorf("%q", got)
	}
	if got := safetyCode(secret.New(bytes.Repeat([]byte{0xff}, 32)))[:5]; got != "67295" { // 2^32-1
		t.Errorf("%q", got)
	}
}

func TestArguments(t *testing.T) {
	for name, c := range map[string]struct {
		args     []string
		verbatim int
		want     []string
		m        string
	}{
		"flags first":  {[]string{"-m", "hi", "a", "b"}, 0, []string{"a", "b"}, "hi"},
		"flags last":   {[]string{"a", "b", "-m", "hi"}, 0, []string{"a", "b"}, "hi"},
		"flags around": {[]string{"a", "-m=hi", "b"}, 0, []string{"a", "b"}, "hi"},
		"dashes":       {[]string{"a", "--", "-m", "hi"}, 0, []string{"a", "-m", "hi"}, ""},
		"text":         {[]string{"-m", "hi", "a", "-m", "-1"}, 1, []string{"a", "-m", "-1"}, "hi"},
		"dashed text":  {[]string{"a", "--", "-1", "--"}, 1, []string{"a", "-1", "--"}, ""},
		"nothing":      {nil, 1, nil, ""},
	} {
		f := flag.NewFlagSet("", flag.ContinueOnError)
		m := f.String("m", "", "")
		if got, err := parseArgs(f, c.args, c.verbatim); err != nil || !slices.Equal(got, c.want) || *m != c.m {
			t.Errorf("%s: %q, %q, %v", name, got, *m, err)
		}
	}
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(new(bytes.Buffer))
	var wrong *usageError
	if _, err := parseArgs(f, []string{"a", "-x"}, 0); !errors.As(err, &wrong) {
		t.Errorf("unknown flag: %v", err)
	}
}
