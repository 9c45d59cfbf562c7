package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pseudods/pseudods/internal/balance"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestDatabases runs the scripts that need PostgreSQL. A script has a database for
// each role, with logins that may do nothing yet, and an address at which a balancer
// passes connections to whichever of two servers answers.
func TestDatabases(t *testing.T) {
	pgtest.Bin(t) // skips all scripts without a server, and not the set-up of one
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/postgres",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			replace := []string{}
			at := map[string]string{}
			for _, name := range []string{"front", "a", "b", "issuer"} {
				p, err := port()
				if err != nil {
					return err
				}
				at[name] = fmt.Sprintf("127.0.0.1:%d", p)
				replace = append(replace, "@"+name+"@", at[name])
			}
			e.Setenv("FRONT", "http://"+at["front"])
			files, err := filepath.Glob(filepath.Join(e.WorkDir, "*.json"))
			if err != nil {
				return err
			}
			for _, name := range files {
				b, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				if err := os.WriteFile(name, []byte(strings.NewReplacer(replace...).Replace(string(b))), 0o600); err != nil {
					return err
				}
			}
			for _, role := range []string{"DS", "QS", "ISSUER", "MODERATION"} {
				d := pgtest.New(t)
				e.Setenv(role+"_OWNER", d.OwnerURL())
				e.Setenv(role+"_LOGIN", d.Name()+"_app")
				e.Setenv(role+"_LOGIN_URL", d.URL())
				if err := os.WriteFile(filepath.Join(e.WorkDir, strings.ToLower(role)+".url"), append(bytes.TrimSpace([]byte(d.URL())), '\n'), 0o600); err != nil {
					return err
				}
			}
			stop, err := balance.Listen(at["front"], at["a"], at["b"])
			if err == nil {
				e.Defer(func() { stop() })
			}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "end": end, "cases": cases, "insist": insist},
	})
}

// insist program args...: runs the program and kills it, each time a little later,
// until it has ended by itself before that. It must end well then, and have been
// killed at least twice.
func insist(ts *testscript.TestScript, _ bool, args []string) {
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	for kills := 0; ; kills++ {
		cmd := exec.Command(path, args[1:]...)
		cmd.Dir = ts.MkAbs(".")
		out := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		ts.Check(cmd.Start())
		kill := time.AfterFunc(time.Duration(kills*kills)*20*time.Millisecond, func() { cmd.Process.Kill() })
		err := cmd.Wait()
		if kill.Stop(); err == nil {
			if kills < 2 {
				ts.Fatalf("ended after %d kills", kills)
			}
			ts.Logf("killed %d times\n%s", kills, out)
			return
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			ts.Fatalf("after %d kills: %v\n%s", kills, err, out)
		}
	}
}
