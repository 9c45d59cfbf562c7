package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pseudods/pseudods/internal/daemon"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"pseudo":  main,
		"hostile": hostile,
		"storm":   storm,
		"agree":   agree,
	})
}

// TestScripts runs the programs as people do: a server, and clients in processes
// of their own. What scripts can say beyond testscript's own commands is in the
// map below.
func TestScripts(t *testing.T) {
	bin := build(t, "pseudods", "ppissuer")
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			return settle(e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":     await,
			"gone":      gone,
			"hears":     hears,
			"shows":     shows,
			"meet":      meet,
			"fills":     fills,
			"status":    status,
			"terminate": terminate,
			"enrol":     enrol,
			"cases":     cases,
			"counts":    counts,
			"exhausts":  exhausts,
			"sleep":     sleep,
			"mode":      mode,
		},
	})
}

// build builds programs of other packages and returns the directory that they are
// in.
func build(t *testing.T, names ...string) string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range names {
		out, err := exec.Command("go", "build", "-o", bin, "github.com/pseudods/pseudods/cmd/"+name).CombinedOutput()
		if err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, out)
		}
	}
	return bin
}

// longest is for what takes milliseconds on an idle machine.
const longest = 60 * time.Second

// ports that were given out in this process.
var ports struct {
	sync.Mutex
	taken map[int]bool
}

// port returns a port of loopback that nothing uses: a server that is started
// again must be where it was. It is none that the system gives to outgoing
// connections.
func port() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.taken == nil {
		ports.taken = map[int]bool{}
	}
	for range 1000 {
		p := 20000 + rand.IntN(10000)
		if ports.taken[p] {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			continue
		}
		ports.taken[p] = true
		return p, l.Close()
	}
	return 0, errors.New("no port is free")
}

// settle gives a script its server's place: in the variable SERVER, and in files
// named *.json for @port@ and @admin@.
func settle(e *testscript.Env) error {
	p, err := port()
	if err != nil {
		return err
	}
	admin, err := port()
	if err != nil {
		return err
	}
	e.Setenv("SERVER", fmt.Sprintf("http://127.0.0.1:%d", p))
	files, err := filepath.Glob(filepath.Join(e.WorkDir, "*.json"))
	if err != nil {
		return err
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		b = bytes.ReplaceAll(b, []byte("@port@"), fmt.Append(nil, p))
		b = bytes.ReplaceAll(b, []byte("@admin@"), fmt.Append(nil, admin))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// await file [text]: waits until the file is there, and has a text in it.
func await(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	until(ts, "for "+args[0], func() bool {
		b, err := os.ReadFile(path)
		return err == nil && (len(args) == 1 || bytes.Contains(b, []byte(args[1])))
	})
}

// gone file: waits until the file is not there.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	until(ts, "for the end of "+args[0], func() bool {
		_, err := os.Stat(path)
		return errors.Is(err, os.ErrNotExist)
	})
}

func until(ts *testscript.TestScript, what string, done func() bool) {
	for end := time.Now().Add(longest); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited too long %s", what)
		}
	}
}

// hears state pattern...: has the client with that state read what arrives until
// each pattern has come, in that order. What it has heard is in the file heard.
func hears(ts *testscript.TestScript, _ bool, args []string) {
	var heard strings.Builder
	defer func() { ts.Check(os.WriteFile(ts.MkAbs("heard"), []byte(heard.String()), 0o600)) }()
	after := 0
	for _, pattern := range args[1:] {
		re, err := regexp.Compile("(?m)" + pattern)
		ts.Check(err)
		var found []int
		until(ts, fmt.Sprintf("for %s to hear %q; it heard %q", args[0], pattern, heard.String()), func() bool {
			if found = re.FindStringIndex(heard.String()[after:]); found == nil {
				ts.Check(ts.Exec("pseudo", "-state", args[0], "listen", "-once"))
				heard.WriteString(ts.ReadFile("stdout"))
				found = re.FindStringIndex(heard.String()[after:])
			}
			return found != nil
		})
		after += found[1]
	}
}

// meet first second: makes the two users, unless they are there, and contacts of
// them. Their states are named like them.
func meet(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		if _, err := os.Stat(ts.MkAbs(name)); err != nil {
			ts.Check(ts.Exec("pseudo", "-state", name, "init", name, "-server", ts.Getenv("SERVER")))
		}
	}
	ts.Check(ts.Exec("pseudo", "-state", args[0], "card"))
	ts.Check(ts.Exec("pseudo", "-state", args[1], "connect", strings.TrimSpace(ts.ReadFile("stdout"))))
	shows(ts, false, []string{args[1] + " +asks you", "pseudo", "-state", args[0], "contacts"})
	ts.Check(ts.Exec("pseudo", "-state", args[0], "accept", args[1]))
	shows(ts, false, []string{args[0] + " +contact", "pseudo", "-state", args[1], "contacts"})
}

// enrol name...: makes users whose identity's key is their account's, and has the
// server know it, in the file accounts.keys.
func enrol(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		line := []string{"-state", name, "init", name, "-server", ts.Getenv("SERVER"), "-account-key"}
		if err := ts.Exec("pseudo", line...); err == nil {
			ts.Fatalf("%s is known already", name)
		}
		key := regexp.MustCompile(`have it add (\S+) to`).FindStringSubmatch(ts.ReadFile("stderr"))
		if key == nil {
			ts.Fatalf("no key: %s", ts.ReadFile("stderr"))
		}
		f, err := os.OpenFile(ts.MkAbs("accounts.keys"), os.O_APPEND|os.O_WRONLY, 0)
		ts.Check(err)
		_, err = f.WriteString(key[1] + "\n")
		ts.Check(errors.Join(err, f.Close()))
		ts.Check(ts.Exec("pseudo", line...))
	}
}

// cases: sets CASE1, CASE2 and so on to the reports that the last program has listed
// in JSON.
func cases(ts *testscript.TestScript, _ bool, _ []string) {
	for n, found := range regexp.MustCompile(`"case":"([0-9a-f]+)"`).FindAllStringSubmatch(ts.ReadFile("stdout"), -1) {
		ts.Setenv(fmt.Sprintf("CASE%d", n+1), found[1])
	}
}

// counts pattern: waits until the server's metrics have a line like that.
func counts(ts *testscript.TestScript, _ bool, args []string) {
	r, err := daemon.Dir(ts.MkAbs("pseudods-data")).Running()
	ts.Check(err)
	re, err := regexp.Compile("(?m)" + args[0] + "$")
	ts.Check(err)
	until(ts, "for "+args[0], func() bool {
		res, err := http.Get(r.Admin + "/metrics")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return err == nil && re.Match(b)
	})
}

// exhausts state n: makes groups, at most n, until there are no tokens for another.
func exhausts(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for i := range n {
		if ts.Exec("pseudo", "-state", args[0], "group", "create", fmt.Sprint("group", i)) != nil {
			return
		}
	}
	ts.Fatalf("%s still gets tokens", args[0])
}

// fills state group n: sends n texts, with their numbers.
func fills(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	for i := range n {
		ts.Check(ts.Exec("pseudo", "-state", args[0], "send", args[1], fmt.Sprintf("text %d", i+1)))
	}
}

// shows pattern program arg...: runs the program until its output shows the pattern.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	until(ts, fmt.Sprintf("for %v to show %q", args[1:], args[0]), func() bool {
		return ts.Exec(args[1], args[2:]...) == nil && re.MatchString(ts.ReadFile("stdout")) != neg
	})
}

func sleep(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	time.Sleep(d)
}

// status n program arg...: runs the program, which must end with that status.
func status(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("%v: exit status %d", args[1:], code)
	}
}

// mode file octal: checks the permissions of a file.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); (got == args[1]) == neg {
		ts.Fatalf("%s has mode %s", args[0], got)
	}
}

// terminate data: asks the server that runs on a data directory to end, and waits
// until it has.
func terminate(ts *testscript.TestScript, _ bool, args []string) {
	r, err := daemon.Dir(ts.MkAbs(args[0])).Running()
	ts.Check(err)
	p, err := os.FindProcess(r.PID)
	ts.Check(err)
	ts.Check(p.Signal(os.Interrupt))
	gone(ts, false, []string{filepath.Join(args[0], daemon.RunningFile)})
}
