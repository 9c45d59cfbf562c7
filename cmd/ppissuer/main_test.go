package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ppissuer":      main,
		"accountsystem": accountSystem,
		"provider":      provider,
		"fixtures":      fixtures,
		"hammer":        hammer,
		"certificate":   makeCertificate,
	})
}

// TestScripts runs the programs as their users do. What scripts can say beyond
// testscript's own commands is in the map below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":      await,
			"gone":       gone,
			"fill":       fill,
			"mode":       mode,
			"envfile":    envFile,
			"private":    makePrivate,
			"sleep":      sleep,
			"count":      count,
			"terminate":  terminate,
			"copy":       copyTree,
			"absent":     absent,
			"eventually": eventually,
			"settled":    settled,
			"killrotate": killRotate,
		},
	})
}

const patience = 60 * time.Second

// await file: waits until the file is there.
func await(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[0], func(err error) bool { return err == nil })
}

// gone file: waits until the file is not there.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[0], func(err error) bool { return errors.Is(err, os.ErrNotExist) })
}

func until(ts *testscript.TestScript, name string, done func(error) bool) {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(name)); done(err) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("waited too long for %s", name)
		}
	}
}

// eventually program args...: runs the program until it succeeds, or with ! until
// it fails.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	for end := time.Now().Add(patience); (ts.Exec(args[0], args[1:]...) == nil) == neg; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited too long for the outcome of %v", args)
		}
	}
}

// settled data: waits until the issuer that runs on a data directory serves the
// keys that are in it, all of one class and type.
func settled(ts *testscript.TestScript, _ bool, args []string) {
	var r daemon.Running
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(args[0], daemon.RunningFile))), &r))
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		files, err := filepath.Glob(ts.MkAbs(filepath.Join(args[0], host.KeysDir, "*.key")))
		ts.Check(err)
		resp, err := http.Get(r.URL + privacypass.DirectoryPath)
		ts.Check(err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		ts.Check(err)
		directory, err := privacypass.ParseDirectory(body)
		ts.Check(err)
		served := 0
		for _, k := range directory.Keys {
			id := k.ID()
			if slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, hex.EncodeToString(id[:4])+".key") }) {
				served++
			}
		}
		if served == len(files) && served == len(directory.Keys) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the issuer serves other keys than it has")
		}
	}
}

// fill file name=value...: replaces @name@ in the file by the value, or by the
// content of the file that the value names with a leading <.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	content := []byte(ts.ReadFile(args[0]))
	for _, arg := range args[1:] {
		name, value, ok := bytes.Cut([]byte(arg), []byte("="))
		if !ok {
			ts.Fatalf("usage: fill file name=value...")
		}
		if file, ok := bytes.CutPrefix(value, []byte("<")); ok {
			value = bytes.TrimSpace([]byte(ts.ReadFile(string(file))))
		}
		content = bytes.ReplaceAll(content, fmt.Appendf(nil, "@%s@", name), value)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), content, 0o600))
}

// envfile name prefix file: sets a variable to the prefix and the file's content.
func envFile(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], args[1]+ts.ReadFile(args[2]))
}

// mode file octal: checks the permissions of a file.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); (got == args[1]) == neg {
		ts.Fatalf("%s has mode %s", args[0], got)
	}
}

// private file...: takes others' access to files away.
func makePrivate(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		ts.Check(os.Chmod(ts.MkAbs(name), 0o600))
	}
}

func sleep(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	time.Sleep(d)
}

// terminate file: sends SIGTERM to the process that the file of a running issuer
// names.
func terminate(ts *testscript.TestScript, _ bool, args []string) {
	var r daemon.Running
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &r))
	p, err := os.FindProcess(r.PID)
	ts.Check(err)
	ts.Check(p.Signal(syscall.SIGTERM))
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

// copy from to: replaces a directory by a copy of another.
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

// absent dir text...: checks that no file below the directory holds a text.
func absent(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(filepath.Walk(ts.MkAbs(args[0]), func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() || info.Size() > 64<<20 {
			return err
		}
		content, err := os.ReadFile(path)
		for _, text := range args[1:] {
			if bytes.Contains(content, []byte(text)) {
				ts.Fatalf("%s is in %s", text, path)
			}
		}
		return err
	}))
}

// killrotate n config: starts n rotations and kills each at some point.
func killRotate(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	program, err := exec.LookPath("ppissuer")
	if err != nil {
		program = filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "ppissuer")
	}
	killed := 0
	for i := range n {
		how := []string{"-now", "-compromised"}[i%2]
		c := exec.Command(program, "keys", "rotate", "-config", ts.MkAbs(args[1]), "-all", how)
		c.Dir = ts.Getenv("WORK")
		ts.Check(c.Start())
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		if c.Process.Kill() == nil {
			killed++
		}
		c.Wait()
	}
	if killed == 0 {
		ts.Fatalf("no rotation was interrupted")
	}
}
