package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestReplicas runs the scripts that need PostgreSQL. A script has a database for
// each of two roles and for reports, with logins that may do nothing yet, and an address at which a
// balancer passes connections to whichever of two servers answers.
func TestReplicas(t *testing.T) {
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
			for _, role := range []string{"DS", "QS", "MODERATION"} {
				d := pgtest.New(t)
				e.Setenv(role+"_OWNER", d.OwnerURL())
				e.Setenv(role+"_LOGIN", d.Name()+"_app")
				e.Setenv(role+"_LOGIN_URL", d.URL())
				if err := os.WriteFile(filepath.Join(e.WorkDir, strings.ToLower(role)+".url"), append(bytes.TrimSpace([]byte(d.URL())), '\n'), 0o600); err != nil {
					return err
				}
			}
			stop, err := balance(at["front"], at["a"], at["b"])
			e.Defer(stop)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "end": end, "cases": cases},
	})
}

// balance passes connections to one of the servers that answer, until it is
// stopped.
func balance(at string, servers ...string) (stop func(), err error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return func() {}, err
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				for _, i := range rand.Perm(len(servers)) {
					server, err := net.Dial("tcp", servers[i])
					if err != nil {
						continue
					}
					go func() {
						io.Copy(server, client)
						server.Close()
					}()
					io.Copy(client, server)
					return
				}
			}()
		}
	}()
	return func() { l.Close() }, nil
}
