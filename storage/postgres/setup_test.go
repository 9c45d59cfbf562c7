package postgres_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestScript runs the script for two roles, as an administrator does, and sets
// their databases up. Neither login gets to the other's database, nor past the
// functions of its own.
func TestScript(t *testing.T) {
	c := pgtest.Shared(t)
	ctx := t.Context()
	for _, role := range []string{"ds", "qs"} {
		script, err := postgres.Script("script_"+role, "script_"+role+"_owner", "script_"+role)
		if err != nil {
			t.Fatal(err)
		}
		psql := exec.Command(filepath.Join(pgtest.Bin(t), "psql"), "-v", "ON_ERROR_STOP=1", "-d", c.URL("postgres", pgtest.Superuser))
		psql.Stdin = strings.NewReader(script)
		if out, err := psql.CombinedOutput(); err != nil {
			t.Fatalf("psql: %v\n%s", err, out)
		}
		owner := postgres.Config{URL: c.URL("script_"+role, "script_"+role+"_owner")}
		for range 2 {
			if err := postgres.Migrate(ctx, owner, sample); err != nil {
				t.Fatal(err)
			}
			if err := postgres.Grant(ctx, owner, "script_"+role, sample); err != nil {
				t.Fatal(err)
			}
		}
		db, err := postgres.Open(ctx, postgres.Config{URL: c.URL("script_"+role, "script_"+role)}, sample)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := put(ctx, db, "a", "b"); err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{"select * from sample.note", "create table public.t (a int)", "create temporary table t (a int)", "create schema s"} {
			if err := db.Write(ctx, sql, nil, nil); postgres.Code(err) != "42501" {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	for _, login := range []string{"script_qs", "script_qs_owner"} {
		if _, err := postgres.Open(ctx, postgres.Config{URL: c.URL("script_ds", login)}, sample); postgres.Code(err) != "42501" {
			t.Errorf("%s came into the other database: %v", login, err)
		}
	}
	if _, err := postgres.Script("a; drop", "b", "c"); !errors.Is(err, postgres.ErrConfig) {
		t.Errorf("a name that is none: %v", err)
	}
}

func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("postgres://a:b@c/d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := postgres.Settings{URL: file, Connections: 3, Accept: []postgres.Risk{postgres.RiskNoFsync}}
	if c, err := s.Config(); err != nil || c.URL != "postgres://a:b@c/d" || c.MaxConns != 3 || len(c.Accept) != 1 {
		t.Errorf("from a file: %+v, %v", c, err)
	}
	for name, s := range map[string]postgres.Settings{
		"file": {URL: file + "x"}, "risk": {URL: file, Accept: []postgres.Risk{"x"}}, "url": {URL: "postgres://a:b@:x/"},
	} {
		if _, err := s.Config(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
