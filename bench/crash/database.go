package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pseudods/pseudods/storage/postgres/pgserver"
)

// Store says where servers have their stores.
type Store string

// The stores.
const (
	Embedded Store = ""         // each server has its own
	Postgres Store = "postgres" // a PostgreSQL server of the run's own
	Patroni  Store = "patroni"  // three of them under Patroni, with etcd
	Sharded  Store = "sharded"  // two, each a shard of a router
	// RoutedPatroni is Patroni's three as the one shard of a router.
	RoutedPatroni Store = "routed-patroni"
)

// databaseEvery is after how many kills one is of a database server.
const databaseEvery = 6

// database is the servers of databases, and what may be done to them.
type database interface {
	// url is the connection string of a login.
	url(login, name string) string
	// parameters is a connection string for the router of shards.
	parameters(name string) string
	// checked are the servers that have tables.
	checked() []database
	// environ has the programs beside PostgreSQL sign in as superuser.
	environ() []string
	// settle waits until every server has what was made last.
	settle(ctx context.Context) error
	// accept lists the risks that the operator of such a database takes.
	accept() []string
	// kill ends a server by signal 9 and says what it was; the function returned
	// brings back what was there.
	kill() (what string, back func() error, err error)
	// hold keeps what is written from now on from the standbys.
	hold(ctx context.Context) error
	// failOver ends the server whose standby lacks something, and has that take over.
	failOver(ctx context.Context) error
	remove() error
}

// openDatabase starts the database, and makes that of each role as the documentation
// says.
func (r *run) openDatabase(ctx context.Context) (err error) {
	switch r.Store {
	case Embedded:
		return nil
	case Postgres:
		r.database, err = startSingle(r.Control)
	case Patroni:
		r.database, err = startPatroni(ctx, r.Dir, r.Control, r.Progress)
	case Sharded:
		one := func() (database, error) { return startSingle(r.Control) }
		r.database, err = startSharded(r.Progress, one, one)
	case RoutedPatroni:
		r.database, err = startSharded(r.Progress, func() (database, error) { return startPatroni(ctx, r.Dir, r.Control, r.Progress) })
	default:
		return fmt.Errorf("crash: no store is called %q", r.Store)
	}
	if err != nil {
		r.database = nil
		return err
	}
	for _, role := range roles {
		if err := r.makeDatabase(ctx, role); err != nil {
			return err
		}
	}
	return nil
}

// makeDatabase makes a role's database and notes where it is.
func (r *run) makeDatabase(ctx context.Context, role string) error {
	name, owner, login := names(role)
	if s, ok := r.database.(*sharded); ok {
		if err := s.make(ctx, r, role); err != nil {
			return err
		}
	} else {
		if err := r.script(ctx, r.database, name, owner, login); err != nil {
			return err
		}
		migrate := exec.CommandContext(ctx, r.Server, "database", "migrate", "-role", role, "-as", r.database.url(owner, name), "-login", login)
		if out, err := migrate.CombinedOutput(); err != nil {
			return fmt.Errorf("crash: database migrate: %w: %s", err, out)
		}
	}
	file := r.path(role + ".url")
	r.urls[role] = file
	return os.WriteFile(file, []byte(r.database.url(login, name)+"\n"), 0o600)
}

// script makes a database with its logins.
func (r *run) script(ctx context.Context, at database, name, owner, login string) error {
	script, err := exec.CommandContext(ctx, r.Server, "database", "script", "-name", name, "-owner", owner, "-login", login).Output()
	if err != nil {
		return fmt.Errorf("crash: database script: %w", err)
	}
	if err := psql(ctx, at, "postgres", string(script)); err != nil {
		return err
	}
	return at.settle(ctx)
}

func psql(ctx context.Context, at database, name, script string) error {
	psql := exec.CommandContext(ctx, "psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", name)
	psql.Env = append(os.Environ(), at.environ()...)
	psql.Stdin = strings.NewReader(script)
	if out, err := psql.CombinedOutput(); err != nil {
		return fmt.Errorf("crash: psql: %w: %s", err, out)
	}
	return nil
}

// ask has a server answer a query with one row.
func ask(ctx context.Context, at database, name, query string) (string, error) {
	psql := exec.CommandContext(ctx, "psql", "-X", "-At", "-F", " ", "-d", name, "-c", query)
	psql.Env = append(os.Environ(), at.environ()...)
	out, err := psql.Output()
	return strings.TrimSpace(string(out)), err
}

// killDatabase kills a database server after a while, and brings it back.
func (r *run) killDatabase(ctx context.Context) error {
	if err := r.watch(ctx); err != nil {
		return err
	}
	what, back, err := r.database.kill()
	if err != nil {
		return err
	}
	r.Database[what]++
	pause()
	return back()
}

// roles are those that have a database.
var roles = []string{"ds", "qs", "issuer", "moderation"}

// names returns what a role's database and its owner and server are called.
func names(role string) (name, owner, login string) {
	name = "pseudods_" + role
	return name, name + "_owner", name
}

// checkDatabases looks for damaged tables and indexes, and rows that cannot be right.
func (r *run) checkDatabases(ctx context.Context) error {
	bin, err := pgserver.Bin()
	if err != nil {
		return err
	}
	for _, at := range r.database.checked() {
		check := exec.CommandContext(ctx, filepath.Join(bin, "pg_amcheck"), "--install-missing", "-d", "pseudods_*")
		check.Env = append(os.Environ(), at.environ()...)
		if out, err := check.CombinedOutput(); err != nil {
			return fmt.Errorf("crash: pg_amcheck: %w: %s", err, out)
		}
		for _, role := range roles {
			name, owner, _ := names(role)
			if err := r.fsck(ctx, "-role", role, "-as", at.url(owner, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// single is one server, beside which the control has a standby that no commit waits
// for.
type single struct {
	server, standby *pgserver.Server
}

func startSingle(standby bool) (database, error) {
	s := &single{}
	var err error
	if s.server, err = pgserver.Start(""); err == nil && standby {
		s.standby, err = s.server.Standby("", "standby")
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

func (s *single) url(login, name string) string {
	url := s.server.URL(name, login)
	if s.standby != nil {
		url += "," + s.standby.Dir() + "&target_session_attrs=read-write"
	}
	return url
}

func (s *single) environ() []string {
	host := s.server.Dir()
	if s.standby != nil {
		host += "," + s.standby.Dir()
	}
	return []string{"PGHOST=" + host, "PGUSER=" + pgserver.Superuser, "PGTARGETSESSIONATTRS=read-write"}
}

// settle does nothing, as clients ask the standby last.
func (s *single) settle(context.Context) error { return nil }

func (s *single) accept() []string {
	if s.standby != nil {
		return []string{"asynchronous-replication"}
	}
	return []string{}
}

func (s *single) kill() (string, func() error, error) {
	return "database server", s.server.Restart, s.server.Kill()
}

func (s *single) hold(context.Context) error { return s.server.Hold() }

func (s *single) failOver(context.Context) error {
	if err := s.server.Kill(); err != nil {
		return err
	}
	return s.standby.Promote()
}

func (s *single) remove() error {
	var failed error
	for _, server := range []*pgserver.Server{s.standby, s.server} {
		if server != nil {
			failed = errors.Join(failed, server.Remove())
		}
	}
	return failed
}
