package main

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeIsTheFirstScript: the commands of the README's section are run by a
// script, in that order.
func TestReadmeIsTheFirstScript(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## Talk\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, section, _ = strings.Cut(section, "\n```\n")
	section, _, ok := strings.Cut(section, "\n```\n")
	if !ok {
		t.Fatal("the README has no commands to talk with")
	}
	script, err := os.ReadFile("testdata/talk.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var played []string
	for line := range strings.Lines(string(script)) {
		line = strings.TrimSpace(line)
		if command, ok := strings.CutPrefix(line, "exec pseudo -state "); ok {
			played = append(played, command)
		} else if rest, ok := strings.CutPrefix(line, "hears "); ok {
			who, _, _ := strings.Cut(rest, " ")
			played = append(played, who+" listen -once")
		}
	}
	n := 0
	for line := range strings.Lines(section) {
		line = strings.NewReplacer("people/", "", "http://127.0.0.1:8060", "$SERVER").Replace(strings.TrimSpace(line))
		line, _, _ = strings.Cut(line, " > ")
		if strings.HasPrefix(line, "alias ") {
			continue
		}
		for len(played) > 0 && played[0] != line {
			played = played[1:]
		}
		if len(played) == 0 {
			t.Fatalf("no script runs %q of the README, after those before it", line)
		}
		n++
	}
	if n < 10 {
		t.Errorf("only %d commands were compared", n)
	}
}
