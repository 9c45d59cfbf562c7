package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres"
)

var databases atomic.Int64

// Database is an empty database with the schemas of a role, and two logins: one
// that owns them, and one that may call their functions.
type Database struct {
	cluster *Cluster
	name    string
	schemas []postgres.Schema
	logins  string // what the names of its logins begin with; its own name if empty
	// Shards are the databases behind it if it is a router. It has no owner then.
	Shards []*Database
	// Standbys are servers that its router may find it on, beside its own.
	Standbys []*Cluster
	through  *Proxy          // by which its router gets to it
	t        testing.TB      // of checks
	checks   []postgres.Walk // after each crash; nil for none
}

// New makes a database on the shared server. It goes with the server: to drop it
// would cost a checkpoint.
func New(t testing.TB, schemas ...postgres.Schema) *Database {
	t.Helper()
	return On(t, Shared(t), schemas...)
}

// On makes a database on a given server.
func On(t testing.TB, c *Cluster, schemas ...postgres.Schema) *Database {
	t.Helper()
	d := &Database{cluster: c, name: fmt.Sprint("test", databases.Add(1)), schemas: schemas}
	for _, sql := range []string{
		fmt.Sprintf("create role %[1]s_owner login; create role %[1]s_app login", d.name),
		fmt.Sprintf("create database %[1]s owner %[1]s_owner", d.name),
	} {
		if err := c.Exec("postgres", sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { d.revive(t) })
	owner := postgres.Config{URL: d.OwnerURL()}
	if err := postgres.Migrate(t.Context(), owner, schemas...); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Grant(t.Context(), owner, d.name+"_app", schemas...); err != nil {
		t.Fatal(err)
	}
	return d
}

// revive starts the server again, which others may need, if a test left it ended.
func (d *Database) revive(t testing.TB) {
	if !d.cluster.Running() {
		if err := d.cluster.Restart(); err != nil {
			t.Error(err)
		}
	}
}

func (d *Database) login(kind string) string {
	if d.logins != "" {
		return d.logins + kind
	}
	return d.name + kind
}

// URL signs in as the login that may call functions.
func (d *Database) URL() string { return d.cluster.URL(d.name, d.login("_app")) }

// OwnerURL signs in as the owner of the schemas.
func (d *Database) OwnerURL() string { return d.cluster.URL(d.name, d.login("_owner")) }

// Name is the database's name.
func (d *Database) Name() string { return d.name }

// Cluster is the server that has the database.
func (d *Database) Cluster() *Cluster { return d.cluster }

// Open opens the database as a server does.
func (d *Database) Open(t testing.TB) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL()}, d.schemas...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Exec runs statements as superuser.
func (d *Database) Exec(sql string) error { return d.cluster.Exec(d.name, sql) }

// Crash crashes the server and starts it again, and those of its shards.
func (d *Database) Crash() error {
	servers := []*Cluster{d.cluster}
	for _, s := range d.Shards {
		if !slices.Contains(servers, s.cluster) {
			servers = append(servers, s.cluster)
		}
	}
	for _, c := range servers {
		c.Crash()
	}
	var err error
	for _, c := range servers {
		err = errors.Join(err, c.Restart())
	}
	if err == nil && d.checks != nil {
		d.Fsck(d.t, d.checks)
	}
	return err
}

// Copy copies the database as it is, in use or not. The function returned puts
// the copy in the database's place. Of a router its shards are copied.
func (d *Database) Copy() (restore func() error, err error) {
	if d.Shards != nil {
		all := make([]func() error, len(d.Shards))
		for i, s := range d.Shards {
			if all[i], err = s.Copy(); err != nil {
				return nil, err
			}
		}
		return func() (err error) {
			for _, restore := range all {
				err = errors.Join(err, restore())
			}
			return err
		}, nil
	}
	dump, err := d.run("pg_dump", "-Fc", "-d", d.cluster.URL(d.name, Superuser)).Output()
	if err != nil {
		return nil, fmt.Errorf("pg_dump: %w", err)
	}
	return func() error {
		for _, sql := range []string{
			"drop database " + d.name + " with (force)",
			fmt.Sprintf("create database %s owner %s", d.name, d.login("_owner")),
		} {
			if err := d.cluster.Exec("postgres", sql); err != nil {
				return err
			}
		}
		in := d.run("pg_restore", "-d", d.cluster.URL(d.name, Superuser))
		in.Stdin = bytes.NewReader(dump)
		if out, err := in.CombinedOutput(); err != nil {
			return fmt.Errorf("pg_restore: %w\n%s", err, out)
		}
		return nil
	}, nil
}

func (d *Database) run(name string, args ...string) *exec.Cmd {
	return d.cluster.Command(name, args...)
}
