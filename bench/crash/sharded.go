package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// sharded is a router and the servers of its shards, each of which may be several.
type sharded struct {
	router *single
	shards []database
	kills  int
	// entries is how many each shard's queues had when its standbys were held up.
	entries  []int
	progress io.Writer
}

// startSharded starts a router with these shards.
func startSharded(progress io.Writer, shards ...func() (database, error)) (database, error) {
	router, err := startSingle(false)
	if err != nil {
		return nil, err
	}
	s := &sharded{router: router.(*single), progress: progress}
	for _, start := range shards {
		shard, err := start()
		if err != nil {
			return nil, errors.Join(err, s.remove())
		}
		s.shards = append(s.shards, shard)
	}
	return s, nil
}

// make makes a role's database in each shard, as the documentation says, and one with
// the router.
func (s *sharded) make(ctx context.Context, r *run, role string) error {
	name, owner, login := names(role)
	sharding := map[string]any{"owner": owner, "login": login}
	var shards []string
	for _, shard := range s.shards {
		if err := r.script(ctx, shard, name, owner, login); err != nil {
			return err
		}
		shards = append(shards, shard.parameters(name))
	}
	sharding["shards"] = shards
	b, err := json.Marshal(sharding)
	if err != nil {
		return err
	}
	file := r.path(role + ".shards.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, r.Server, "database", "shards", "-role", role, "-shards", file).CombinedOutput(); err != nil {
		return fmt.Errorf("crash: database shards: %w: %s", err, out)
	}
	for _, shard := range s.shards {
		if err := shard.settle(ctx); err != nil {
			return err
		}
	}
	script, err := exec.CommandContext(ctx, r.Server, "database", "router", "-role", role, "-shards", file).Output()
	if err != nil {
		return fmt.Errorf("crash: database router: %w", err)
	}
	if err := s.router.server.Exec("postgres", "create database "+name); err != nil {
		return err
	}
	return psql(ctx, s.router, name, string(script))
}

func (s *sharded) url(login, name string) string { return s.router.url(login, name) }

func (s *sharded) parameters(name string) string { return s.router.parameters(name) }

func (s *sharded) environ() []string { return s.router.environ() }

func (s *sharded) settle(context.Context) error { return nil }

func (s *sharded) accept() []string { return s.shards[0].accept() }

// kill takes one shard after the other.
func (s *sharded) kill() (string, func() error, error) {
	shard := s.shards[s.kills%len(s.shards)]
	s.kills++
	what, back, err := shard.kill()
	return what + " of a shard", back, err
}

// queued counts the entries in the queues of a shard.
func queued(ctx context.Context, shard database) (n int, err error) {
	out, err := ask(ctx, shard, "pseudods_qs", "select count(*) from queues.entry")
	if err == nil {
		n, err = strconv.Atoi(out)
	}
	return n, err
}

func (s *sharded) hold(ctx context.Context) error {
	s.entries = s.entries[:0]
	for _, shard := range s.shards {
		n, err := queued(ctx, shard)
		if err == nil {
			err = shard.hold(ctx)
		}
		if err != nil {
			return err
		}
		s.entries = append(s.entries, n)
	}
	return nil
}

// failOver has the shard lose whose queues got most; the others lose nothing.
func (s *sharded) failOver(ctx context.Context) error {
	worst, most := 0, 0
	for i, shard := range s.shards {
		n, err := queued(ctx, shard)
		if err != nil {
			return err
		}
		if n -= s.entries[i]; n > most {
			worst, most = i, n
		}
	}
	fmt.Fprintf(s.progress, "shard %d of %d fails over to a standby that lacks %d entries\n", worst, len(s.shards), most)
	return s.shards[worst].failOver(ctx)
}

func (s *sharded) remove() error {
	failed := s.router.remove()
	for _, shard := range s.shards {
		failed = errors.Join(failed, shard.remove())
	}
	return failed
}

// checked are the servers that have tables.
func (s *sharded) checked() []database { return s.shards }

func (s *single) checked() []database { return []database{s} }

func (p *patroni) checked() []database { return []database{p} }

// parameters is a connection string without a user, as a router takes it.
func (s *single) parameters(name string) string {
	host := s.server.Dir()
	if s.standby != nil {
		host += "," + s.standby.Dir()
	}
	return fmt.Sprintf("host=%s dbname=%s", host, name)
}
