package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/queues"
	"github.com/pseudods/pseudods/storage/postgres/reports"
)

// Schemas are what a role has in its database.
func Schemas(r Role) []postgres.Schema {
	spent := []postgres.Schema{postgres.MoveSchema, postgres.FenceSchema, ledger.Schema}
	switch r {
	case DS:
		return append(spent, groups.Schema)
	case QS:
		return append(spent, postgres.DutySchema, queues.Schema)
	case Issuer:
		return host.Schemas
	case Moderation:
		return []postgres.Schema{postgres.MoveSchema, postgres.DutySchema, reports.Schema}
	}
	return nil
}

// Databases are the settings of those roles that run and have a database.
func (c Config) Databases() (map[Role]postgres.Settings, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	out := map[Role]postgres.Settings{}
	for role, settings := range c.databases() {
		if c.has(role) && settings.Used() {
			out[role] = *settings
		}
	}
	return out, nil
}

func (c *Config) databases() map[Role]*postgres.Settings {
	return map[Role]*postgres.Settings{DS: &c.DS.Database, QS: &c.QS.Database, Issuer: &c.Issuer.Database, Moderation: &c.Moderation.Database}
}

// has reports whether the stores of a role are this server's.
func (c *Config) has(r Role) bool { return c.runs(r) || r == Moderation && c.moderates() }

// validateDatabases reads what the settings name.
func (c *Config) validateDatabases() error {
	for role, settings := range c.databases() {
		if !c.has(role) || !settings.Used() {
			continue
		}
		if _, err := settings.Config(); err != nil {
			return fmt.Errorf("%s.database: %w", role, err)
		}
	}
	return nil
}

// CheckDatabase connects to a role's database as the server does, and says what
// would keep the server from starting with it.
func CheckDatabase(r Role, s postgres.Settings) error {
	db, err := openDatabase(r, &s)
	if err != nil {
		return err
	}
	return db.Close()
}

// InspectDatabase checks the tables of a role's database, which servers may be
// using, as their owner: the settings are not the server's.
func InspectDatabase(ctx context.Context, r Role, owner postgres.Settings, report func(postgres.Finding)) (postgres.Summary, error) {
	cfg, err := owner.Config()
	if err != nil {
		return postgres.Summary{}, err
	}
	return postgres.Inspect(ctx, cfg, checks(r), report, Schemas(r)...)
}

// InspectShards checks the shards of a role's database, as [InspectDatabase] does one.
func InspectShards(ctx context.Context, r Role, s postgres.Sharding, report func(shard int, f postgres.Finding)) (postgres.Summary, error) {
	return postgres.InspectShards(ctx, s, checks(r), report, Schemas(r)...)
}

// checks are those of what a role has in its database.
func checks(r Role) []postgres.Walk {
	switch r {
	case DS:
		return slices.Concat(groups.Checks, ledger.Checks)
	case QS:
		return slices.Concat(queues.Checks, ledger.Checks)
	case Issuer:
		return host.Checks
	case Moderation:
		return reports.Checks
	}
	return nil
}

func openDatabase(r Role, s *postgres.Settings) (*postgres.DB, error) {
	cfg, err := s.Config()
	if err != nil {
		return nil, err
	}
	db, err := postgres.Open(context.Background(), cfg, Schemas(r)...)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return db, nil
}

// backend is where the stores of a role are: in an embedded database each, or
// together in one elsewhere.
type backend struct {
	embedded *badger.DB
	database *postgres.DB
}

// ready says what keeps the store of a name from taking writes.
func (b *backend) ready(name string) error {
	if b.database == nil {
		return health(name, b.embedded.Stats())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := b.database.Ping(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (b *backend) close() (err error) {
	if b.embedded != nil {
		err = b.embedded.Close()
	}
	if b.database != nil {
		err = errors.Join(err, b.database.Close())
	}
	return err
}

// stats are those of the embedded stores, by name. r is nil for a role without tokens.
func (b *backend) stats(name string, r *redeemer) map[string]func() badger.Stats {
	if b.embedded == nil {
		return nil
	}
	all := map[string]func() badger.Stats{name: b.embedded.Stats}
	if r != nil {
		all[spentDir] = r.embedded.Stats
	}
	return all
}

// databaseReady says what keeps a database from taking writes; it is nil for
// embedded stores.
func (b *backend) databaseReady(r *redeemer) func() error {
	if b.database == nil {
		return nil
	}
	return func() error {
		err := b.ready("database")
		if r != nil {
			err = errors.Join(err, r.ready())
		}
		return err
	}
}

// wakeKey is common to the servers of a queue service, which have one ticket key.
func wakeKey(ring *addresskeys.Ring) secret.Bytes {
	h := hmac.New(sha256.New, ring.TicketKey().Reveal())
	h.Write([]byte("pseudods 1.0 wake key"))
	return secret.New(h.Sum(nil)[:queues.WakeKeySize])
}
