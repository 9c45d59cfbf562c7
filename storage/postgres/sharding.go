package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed placement
var placementFiles embed.FS

// shardSchema is what every shard has beside the schemas of its role.
var shardSchema = Schema{Name: "shard", Migrations: placementFiles}

// Sharding says where the shards of a role's database are. It is read from a JSON
// file, by the administrator's commands alone.
type Sharding struct {
	// Owner and Login are the logins that [Script] makes in each shard. The passwords
	// of the owner come from a password file, as libpq takes them.
	Owner string `json:"owner"`
	Login string `json:"login"`
	// PasswordFile has the password with which the router signs in as Login. Without
	// one the router's server must have it, in its own password file, or a certificate.
	PasswordFile string `json:"password_file"`
	// Shards are connection strings of keywords and values, without a user, in the
	// order of their numbers: "host=a,b port=5432 dbname=queues_0 sslmode=verify-full".
	// With several hosts the one that takes writes is used.
	Shards []string `json:"shards"`
}

// ReadSharding reads the file. Unknown members give an error.
func ReadSharding(path string) (s Sharding, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil || d.More() {
		return s, fmt.Errorf("%w: %s is no list of shards", ErrConfig, path)
	}
	return s, s.validate()
}

func (s *Sharding) validate() error {
	for _, name := range []string{s.Owner, s.Login, s.router()} {
		if !identifier.MatchString(name) {
			return fmt.Errorf("%w: %q as a login", ErrConfig, name)
		}
	}
	if n := len(s.Shards); n == 0 || n > MaxShards || n&(n-1) != 0 {
		return fmt.Errorf("%w: %d shards, which is no power of two", ErrConfig, n)
	}
	for i, to := range s.Shards {
		// Keywords and values may have neither, so that a line cannot end what it is put into.
		bad := strings.ContainsAny(to, "\n\r\x00") || strings.Contains(to, "://") || strings.Contains(to, "user") || slices.Contains(s.Shards[:i], to)
		cfg := s.shard(i)
		if _, err := cfg.pool(); err != nil || bad {
			return fmt.Errorf("%w: connection string of shard %d", ErrConfig, i)
		}
	}
	return nil
}

// router is the role that owns the router's functions, and cannot sign in.
func (s *Sharding) router() string { return s.Login + "_router" }

// shard signs in to a shard as its owner.
func (s *Sharding) shard(n int) Config {
	return Config{URL: fmt.Sprintf("%s user=%s", s.Shards[n], s.Owner)}
}

// eachShard runs f as the owner of each shard, in order.
func (s *Sharding) eachShard(ctx context.Context, f func(n int, conn *pgx.Conn) error) error {
	for n := range s.Shards {
		if err := asOwner(ctx, s.shard(n), func(conn *pgx.Conn) error { return f(n, conn) }); err != nil {
			return fmt.Errorf("shard %d: %w", n, err)
		}
	}
	return nil
}

// MigrateShards brings the schemas of all shards to this program's versions, as
// [Migrate] does, tells each which one it is, and lets the login call the functions.
// It may be repeated, and goes on where it was cut short. A shard that is another
// one than the list says, or of other shards, is refused with [ErrConfig], and so is
// one of several that has rows and was none before.
func MigrateShards(ctx context.Context, s Sharding, schemas ...Schema) error {
	if err := s.validate(); err != nil {
		return err
	}
	places, err := s.places(ctx)
	if err != nil {
		return err
	}
	var whole []byte
	for _, p := range places {
		if p != nil {
			whole = p.whole
		}
	}
	if whole == nil {
		whole = make([]byte, 16)
		rand.Read(whole)
	}
	for n, p := range places {
		if p != nil {
			if err := p.check(place{whole, n, len(places)}); err != nil {
				return err
			}
		}
	}
	err = s.eachShard(ctx, func(n int, conn *pgx.Conn) error {
		if places[n] != nil {
			return nil
		}
		if len(places) > 1 {
			if err := checkEmpty(ctx, conn, schemas); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, "insert into shard.place (whole, number, count) values ($1, $2, $3)", whole, n, len(places))
		return err
	})
	for n := range s.Shards {
		if err == nil {
			if err = Migrate(ctx, s.shard(n), schemas...); err == nil {
				err = Grant(ctx, s.shard(n), s.Login, append(slices.Clone(schemas), shardSchema)...)
			}
			if err != nil {
				err = fmt.Errorf("shard %d: %w", n, err)
			}
		}
	}
	return err
}

// places returns what each shard says that it is, nil if nobody told it.
func (s *Sharding) places(ctx context.Context) (all []*place, err error) {
	err = s.eachShard(ctx, func(n int, conn *pgx.Conn) error {
		err := migrate(ctx, conn, shardSchema)
		if err != nil {
			return err
		}
		p, err := placeOf(ctx, conn)
		all = append(all, p)
		return err
	})
	return all, err
}

func placeOf(ctx context.Context, conn *pgx.Conn) (*place, error) {
	p := new(place)
	err := conn.QueryRow(ctx, "select whole, number, count from shard.place").Scan(&p.whole, &p.number, &p.count)
	if err == pgx.ErrNoRows {
		return nil, nil
	}
	return p, err
}

// checkEmpty refuses a database with rows that belong to some shard.
func checkEmpty(ctx context.Context, conn *pgx.Conn, schemas []Schema) error {
	for _, s := range schemas {
		for table, p := range s.Routing.Tables {
			name := s.Name + "." + table
			var there, rows bool
			err := conn.QueryRow(ctx, "select to_regclass($1) is not null", name).Scan(&there)
			if err == nil && there && p.Column != "" {
				err = conn.QueryRow(ctx, "select exists (select from "+name+")").Scan(&rows)
			}
			if err == nil && rows {
				err = fmt.Errorf("%w: %s has rows already; begin with one shard, and split it", ErrConfig, name)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
