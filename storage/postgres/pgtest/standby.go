package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby starts a server that streams from this one, under that name, and waits
// until it does.
func (c *Cluster) Standby(t testing.TB, name string) *Cluster {
	t.Helper()
	s := &Cluster{bin: c.bin, as: c.as, settings: c.settings}
	err := s.follow(c, name)
	t.Cleanup(s.remove)
	if err == nil {
		err = c.await("select count(*) = 1 from pg_stat_replication where state = 'streaming' and application_name = '" + name + "'")
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c *Cluster) follow(primary *Cluster, name string) (err error) {
	if c.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return err
	}
	if c.as != nil {
		if err := os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return err
		}
	}
	from := fmt.Sprintf("host=%s user=%s application_name=%s", primary.dir, Superuser, name)
	base := c.command("pg_basebackup", "-D", c.data(), "-d", from, "-R", "-c", "fast", "--no-sync")
	if out, err := base.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return c.start()
}

// Promote makes a standby a server of its own.
func (c *Cluster) Promote() error {
	if err := c.Exec("postgres", "select pg_promote()"); err != nil {
		return err
	}
	return c.await("select not pg_is_in_recovery()")
}

// Configure changes a setting of the running server, and waits until it holds.
func (c *Cluster) Configure(setting, value string) error {
	if err := c.Exec("postgres", fmt.Sprintf("alter system set %s = '%s'", setting, value)); err != nil {
		return err
	}
	if err := c.Exec("postgres", "select pg_reload_conf()"); err != nil {
		return err
	}
	// The kinds of standbys follow within a moment.
	return c.await(fmt.Sprintf("select current_setting('%s') = '%s' and not exists (select from pg_stat_replication where (sync_state = 'async') = (application_name <> '' and '%s' ~ application_name))", setting, value, value))
}

// await waits for a query to give true.
func (c *Cluster) await(query string) error {
	ctx := context.Background()
	for range 500 {
		conn, err := pgx.Connect(ctx, c.URL("postgres", Superuser))
		if err != nil {
			return err
		}
		var ok bool
		err = conn.QueryRow(ctx, query).Scan(&ok)
		conn.Close(ctx)
		if err != nil || ok {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("pgtest: waited too long")
}

// FailoverURL signs in as [Database.URL] does, at whichever of the database's server
// and its standbys takes writes.
func (d *Database) FailoverURL(standbys ...*Cluster) string {
	url := d.URL()
	for _, s := range standbys {
		url += "," + s.dir
	}
	return url
}

// Stop ends the server in good order. [Cluster.Restart] starts it again.
func (c *Cluster) Stop() { c.end(syscall.SIGINT) }
