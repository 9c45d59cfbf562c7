package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"pseudods": main,
		"meet":     meet,
		"talk":     talk,
		"heard":    heard,
		"fetch":    fetch,
		"accuse":   accuse,
	})
}

// tests ends the database server that they shared.
type tests struct{ *testing.M }

func (t tests) Run() int { return pgtest.Main(t.M) }

// TestScripts runs the server as its operators do, and clients beside it. What
// scripts can say beyond testscript's own commands is in the map below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup:              settle,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":   await,
			"gone":    gone,
			"end":     end,
			"mode":    mode,
			"copy":    copyTree,
			"count":   count,
			"absent":  absent,
			"cases":   cases,
			"publish": publish,
		},
	})
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
		p := 10000 + rand.IntN(10000)
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

// settle gives a script places for two servers: in the variables ONE and TWO, and
// in files named *.json for @one@ and @two@.
func settle(e *testscript.Env) error {
	replace := []string{}
	for _, name := range []string{"one", "two"} {
		p, err := port()
		if err != nil {
			return err
		}
		address := fmt.Sprintf("127.0.0.1:%d", p)
		e.Setenv(map[string]string{"one": "ONE", "two": "TWO"}[name], "http://"+address)
		replace = append(replace, "@"+name+"@", address)
	}
	files, err := filepath.Glob(filepath.Join(e.WorkDir, "*.json"))
	if err != nil {
		return err
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for i := 0; i < len(replace); i += 2 {
			b = bytes.ReplaceAll(b, []byte(replace[i]), []byte(replace[i+1]))
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// await file: waits until the file is there.
func await(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "for "+args[0], func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return err == nil
	})
}

// gone file: waits until the file is not there.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "for the end of "+args[0], func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return errors.Is(err, os.ErrNotExist)
	})
}

func until(ts *testscript.TestScript, what string, done func() bool) {
	for end := time.Now().Add(longest); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited too long %s", what)
		}
	}
}

// end TERM|KILL data: sends a signal to the server that runs on a data directory.
// After KILL the file that says where it listens is removed, as the server cannot.
func end(ts *testscript.TestScript, _ bool, args []string) {
	file := filepath.Join(args[1], daemon.RunningFile)
	var r daemon.Running
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &r))
	p, err := os.FindProcess(r.PID)
	ts.Check(err)
	if args[0] == "KILL" {
		ts.Check(p.Signal(syscall.SIGKILL))
		ts.Check(os.Remove(ts.MkAbs(file)))
		return
	}
	ts.Check(p.Signal(syscall.SIGTERM))
}

// cases: sets CASE1, CASE2 and so on to the reports that the last program has listed
// in JSON.
func cases(ts *testscript.TestScript, _ bool, _ []string) {
	lines := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	for n := 1; ; n++ {
		var shown moderation.Shown
		if err := lines.Decode(&shown); err == io.EOF && n > 1 {
			return
		} else if err != nil {
			ts.Fatalf("no reports: %v", err)
		}
		ts.Setenv(fmt.Sprintf("CASE%d", n), shown.Case)
	}
}

// publish config file: puts the key in a file for @public@ in a configuration.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	text := strings.ReplaceAll(ts.ReadFile(args[0]), "@public@", strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// mode file octal: checks the permissions of a file.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); (got == args[1]) == neg {
		ts.Fatalf("%s has mode %s", args[0], got)
	}
}

// copy from to: replaces a directory by a copy of another, for its owner alone.
func copyTree(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.RemoveAll(ts.MkAbs(args[1])))
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[0]))))
	ts.Check(filepath.Walk(ts.MkAbs(args[1]), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.IsDir() {
			return os.Chmod(path, 0o700)
		} else if err == nil {
			return os.Chmod(path, 0o600)
		}
		return err
	}))
}

// count n glob: checks how many files match.
func count(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	names, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if (len(names) == want) == neg {
		ts.Fatalf("%d files match %s: %v", len(names), args[1], names)
	}
}

// absent url: checks that nobody answers there.
func absent(ts *testscript.TestScript, neg bool, args []string) {
	res, err := http.Get(args[0])
	if err == nil {
		res.Body.Close()
	}
	if (err != nil) == neg {
		ts.Fatalf("%s: %v", args[0], err)
	}
}
