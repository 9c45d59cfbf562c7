//go:build linux

package pgserver_test

import (
	"errors"
	"os"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres/pgserver"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// TestKill: a server of which all processes are killed starts again with what was
// committed.
func TestKill(t *testing.T) {
	pgtest.Bin(t)
	s, err := pgserver.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Exec("postgres", "create table kept (n int); insert into kept values (1)"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Kill(), s.Restart()); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := s.Query("postgres", "select n from kept", &n); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if s.Running() || s.Kill() == nil {
		t.Error("a server was killed that does not run")
	}
}
