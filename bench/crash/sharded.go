package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// sharded is a router and the servers of its shards, each of which may be several.
type sharded struct {
	router *single
	shards []database
	kills  int
}

// startSharded starts a router with these shards.
func startSharded(control bool, shards ...func() (database, error)) (database, error) {
	if control {
		return nil, errors.New("crash: there is no control for shards")
	}
	router, err := startSingle(false)
	if err != nil {
		return nil, err
	}
	s := &sharded{router: router.(*single)}
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
	name, owner, login := "pseudods_"+role, "pseudods_"+role+"_owner", "pseudods_"+role
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

func (s *sharded) lose(func() error) error { return errors.ErrUnsupported }

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
	return fmt.Sprintf("host=%s dbname=%s", s.server.Dir(), name)
}
