package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

func files(sql ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i, s := range sql {
		m["000"+string(rune('1'+i))+"_step.sql"] = &fstest.MapFile{Data: []byte(s)}
	}
	return m
}

// TestMigrate goes from version to version, back, and through a failure.
func TestMigrate(t *testing.T) {
	one := postgres.Schema{Name: "steps", Migrations: files("create table a (k int primary key); insert into a values (1)")}
	two := postgres.Schema{Name: "steps", Migrations: files("create table a (k int primary key); insert into a values (1)", "alter table a add column b int")}
	broken := postgres.Schema{Name: "steps", Migrations: files("create table a (k int primary key); insert into a values (1)", "create table c (k int); select 1/0")}
	d := pgtest.New(t, one)
	owner := postgres.Config{URL: d.OwnerURL()}
	open := func(s postgres.Schema) error {
		db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL()}, s)
		if err == nil {
			db.Close()
		}
		return err
	}
	migrate := func(s postgres.Schema) error { return postgres.Migrate(t.Context(), owner, s) }
	if err := open(one); err != nil {
		t.Fatal(err)
	}
	if err := open(two); !errors.Is(err, postgres.ErrVersion) {
		t.Fatalf("an old schema: %v", err)
	}
	if err := open(postgres.Schema{Name: "missing", Migrations: files("")}); !errors.Is(err, postgres.ErrVersion) {
		t.Fatalf("a missing schema: %v", err)
	}
	if err := migrate(broken); err == nil {
		t.Fatal("a migration that divides by zero succeeded")
	}
	if err := open(one); err != nil {
		t.Fatalf("after a migration that failed: %v", err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := migrate(two); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := open(two); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{open(one), migrate(one)} {
		if !errors.Is(err, postgres.ErrVersion) {
			t.Fatalf("a newer schema: %v", err)
		}
	}
}

func TestUnfitMigrationsPanic(t *testing.T) {
	owner := pgtest.New(t).OwnerURL()
	for name, s := range map[string]postgres.Schema{
		"name":  {Name: "a b", Migrations: files("select 1")},
		"none":  {Name: "a", Migrations: files()},
		"gap":   {Name: "a", Migrations: fstest.MapFS{"0002_x.sql": {}}},
		"other": {Name: "a", Migrations: fstest.MapFS{"readme": {}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			t.Error(postgres.Migrate(t.Context(), postgres.Config{URL: owner}, s))
		}()
	}
}

// TestLeastPrivilege: the server's login calls functions and does nothing else.
func TestLeastPrivilege(t *testing.T) {
	d := pgtest.New(t, sample)
	other := pgtest.New(t, sample)
	db := d.Open(t)
	if _, err := put(t.Context(), db, "a", "b"); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"select * from sample.note",
		"select * from sample.migration",
		"delete from sample.note",
		"insert into sample.note values ('c', 'd')",
		"drop function sample.put",
		"create table sample.mine (a int)",
		"create schema mine",
		"create table public.mine (a int)",
		"alter role " + d.Name() + "_app superuser",
		"set role " + d.Name() + "_owner",
	} {
		if err := db.Write(t.Context(), sql, nil, nil); !errors.Is(err, postgres.ErrRefused) || postgres.Code(err) != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	stranger := strings.Replace(d.URL(), d.Name()+"_app@", other.Name()+"_app@", 1)
	if _, err := postgres.Open(t.Context(), postgres.Config{URL: stranger}, sample); err == nil {
		t.Error("a login of another database came in")
	}
}
