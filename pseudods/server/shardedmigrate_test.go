package server

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/move"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

// toShards puts routers of two shards into a configuration, for the roles given, and
// returns what migrates to them in small chunks.
func toShards(t *testing.T, c *Config, roles ...Role) (Migration, map[Role]*pgtest.Database) {
	t.Helper()
	m := Migration{Shards: map[Role]postgres.Sharding{}, Copy: move.Config{ChunkRows: 8}, madeUp: []string{groupsDir},
		Report: func(s *Store, f badger.Finding) { t.Errorf("%s %s: %+v", s.Role, s.Name, f) }}
	all := map[Role]*pgtest.Database{}
	for _, role := range roles {
		d := pgtest.NewSharded(t, 2, Schemas(role)...)
		*c.databases()[role] = postgres.Settings{URL: d.URL()}
		m.Shards[role], all[role] = d.Sharding(), d
	}
	return m, all
}

// TestMigratedShardsBehave: as databases do, shards answer as the embedded stores would
// have. What is moved is in both of them.
func TestMigratedShardsBehave(t *testing.T) {
	c := populated(t)
	old := copied(t, c)
	e := openEmbedded(t, old)
	want := e.behave(t.Context())
	e.close()
	m, all := toShards(t, &c, DS, QS, Issuer, Moderation)
	if _, err := c.Migrate(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for role, tables := range map[Role][]string{
		DS: {"groups.groups", "groups.record", "spent.epoch", "spent.registry"}, QS: {"queues.head", "queues.entry", "queues.mark", "spent.nullifier"},
		Issuer: {"allowances.standing", "allowances.charge", "allowances.epoch"}, Moderation: {"reports.report"},
	} {
		for n, shard := range all[role].Shards {
			for _, table := range tables {
				if !shard.Holds(t, "select from "+table) {
					t.Errorf("%s: shard %d has no row in %s", role, n, table)
				}
			}
			if role != DS { // whose groups are made up
				shard.Fsck(t, checks(role))
			}
		}
	}
	d := openDatabases(t, c)
	defer d.close()
	differ(t, d.behave(t.Context()), want)
}

// TestINV04ShardedMigrationCutShort ends the migration of a role into shards again and
// again, each time some steps later and with chunks of another size, and loses the
// connection to one shard alone, so that the other is ahead. In the end the shards have
// together what one database has after a migration in one piece, and tokens are spent
// once.
func TestINV04ShardedMigrationCutShort(t *testing.T) {
	c := populated(t)
	whole := copied(t, c)
	one := toDatabases(t, &whole)
	for _, role := range []Role{DS, Issuer, Moderation} {
		delete(one.Owners, role)
	}
	all, err := whole.Migrate(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	want := sum(all)
	m, routers := toShards(t, &c, QS)
	shards := routers[QS].Shards
	lose := fmt.Sprintf("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = '%s'", m.Shards[QS].Owner)
	cut := errors.New("cut short")
	cuts, uneven := 0, 0
	for at := 1; ; at += 2 {
		var steps atomic.Int64
		between, lost := cuts%4 == 0, cuts%2 == 1
		m.Copy.ChunkRows = 5 + at%7
		m.Copy.Fault = func(s move.Step) error {
			if s == move.StepRead && !between || steps.Add(1) < int64(at) {
				return nil
			}
			switch {
			case lost && s == move.StepLoad:
				return shards[cuts/2%2].Exec(lose)
			case lost:
				return nil
			}
			return cut
		}
		all, err = c.Migrate(t.Context(), m)
		if err == nil {
			break
		}
		if cuts++; !errors.Is(err, cut) && !errors.Is(err, postgres.ErrUnavailable) {
			t.Fatal(err)
		}
		if err := CheckDatabase(QS, c.QS.Database); !errors.Is(err, postgres.ErrMoving) {
			t.Fatalf("a server that starts meanwhile: %v", err)
		}
		var states [2]string
		for n, shard := range shards {
			if err := shard.Cluster().Query(shard.Name(), "select coalesce(string_agg(name || state, ',' order by name), '') from move.store", &states[n]); err != nil {
				t.Fatal(err)
			}
		}
		if states[0] != states[1] {
			uneven++
		}
	}
	if cuts < 5 || uneven < 2 {
		t.Errorf("cut short %d times, %d times with one shard ahead", cuts, uneven)
	}
	if got := sum(all); got != want {
		t.Errorf("moved\n%s\nwant\n%s", got, want)
	}
	// A crash before the last shard was given to servers.
	if err := shards[1].Exec("update move.state set ended = false; delete from fence.witness"); err != nil {
		t.Fatal(err)
	}
	if err := CheckDatabase(QS, c.QS.Database); !errors.Is(err, postgres.ErrMoving) {
		t.Fatalf("a server that starts on one of both: %v", err)
	}
	m.Copy.Fault = nil
	for range 2 {
		if again, err := c.Migrate(t.Context(), m); err != nil || sum(again) != want {
			t.Fatalf("gone on with: %v\n%s", err, sum(again))
		}
	}
	db := must(openDatabase(QS, &c.QS.Database))
	defer db.Close()
	l := must(ledger.Open(t.Context(), ledger.Config{DB: db, Fence: c.embedded(QS)[1].Fence, Key: nullifierKey()}))
	defer l.Close()
	for _, name := range []string{"older", "current"} { // in a shard each
		for i := range uint64(7) {
			if _, err := l.Spend(t.Context(), storagetest.NewMint(name).Nth(i), storagetest.Digest("other")); !errors.Is(err, tokens.ErrDoubleSpend) {
				t.Errorf("token %d of %s was spent again: %v", i, name, err)
			}
		}
	}
}

// TestShardedMigrationRefuses what would lose something, and leaves servers free to
// use what it has not begun with.
func TestShardedMigrationRefuses(t *testing.T) {
	all := populated(t)
	refused := func(t *testing.T, c Config, m Migration, want error) {
		t.Helper()
		if _, err := c.Migrate(t.Context(), m); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	t.Run("shards", func(t *testing.T) {
		c := copied(t, all)
		m, routers := toShards(t, &c, QS)
		list := m.Shards[QS]
		swapped := list
		swapped.Shards = []string{list.Shards[1], list.Shards[0]}
		half := list
		half.Shards = list.Shards[:1]
		other := pgtest.NewSharded(t, 2, Schemas(QS)...).Sharding()
		for _, wrong := range []struct {
			list postgres.Sharding
			want error
		}{{swapped, postgres.ErrConfig}, {half, postgres.ErrConfig}, {other, ErrOtherDatabase}} {
			m.Shards[QS] = wrong.list
			refused(t, c, m, wrong.want)
		}
		m.Shards[QS] = list
		// One shard as if it were all.
		m.Shards, m.Owners = nil, map[Role]postgres.Settings{QS: {URL: routers[QS].Shards[0].OwnerURL()}}
		refused(t, c, m, postgres.ErrConfig)
		m.Shards = map[Role]postgres.Sharding{QS: list}
		refused(t, c, m, ErrOwners)
		m.Owners = nil

		db := must(openDatabase(QS, &c.QS.Database))
		refused(t, c, m, postgres.ErrInUse)
		db.Close()
		if err := routers[QS].Shards[1].Exec("insert into queues.contact values (gen_random_uuid(), '', true)"); err != nil {
			t.Fatal(err)
		}
		refused(t, c, m, postgres.ErrUsed)
		if err := CheckDatabase(QS, c.QS.Database); err != nil {
			t.Errorf("what was not begun is kept from servers: %v", err)
		}
	})
	t.Run("a restart cut short", func(t *testing.T) {
		c := copied(t, all)
		m, routers := toShards(t, &c, QS)
		cut := errors.New("cut")
		var n atomic.Int64
		m.Copy.Fault = func(s move.Step) error {
			if s == move.StepLoaded && n.Add(1) > 3 {
				return cut
			}
			return nil
		}
		refused(t, c, m, cut)
		if err := routers[QS].Shards[0].Exec("truncate queues.queue, queues.head, queues.mark, queues.entry, queues.segment, move.store"); err != nil {
			t.Fatal(err)
		}
		m.Copy.Fault = nil
		refused(t, c, m, postgres.ErrRestart)
		m.Restart = true
		if _, err := c.Migrate(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a row in another shard", func(t *testing.T) {
		c := copied(t, all)
		m, routers := toShards(t, &c, QS)
		closed := fmt.Sprintf("'\\x%x'", storagetest.NewMint("gone").Epoch(1).KeyID)
		m.Copy.Fault = func(s move.Step) error {
			if s != move.StepCompare {
				return nil
			}
			for n, shard := range routers[QS].Shards {
				if shard.Holds(t, "select from spent.closed where key = "+closed) {
					return errors.Join(shard.Exec("delete from spent.closed"), routers[QS].Shards[1-n].Exec("insert into spent.closed values ("+closed+", false)"))
				}
			}
			return nil
		}
		refused(t, c, m, move.ErrDiffers)
	})
}

// TestServerOnMigratedShards: users of a server whose stores were moved into shards go
// on with the queues, messages and tokens that they had.
func TestServerOnMigratedShards(t *testing.T) {
	pgtest.Bin(t)
	c := config(t)
	cheap(&c)
	s, stop := start(t, c)
	u := newUser(t, s.URL(DS))
	var owners []*owner
	for range 4 {
		owners = append(owners, u.newOwner(wire.QueueSettings{}))
	}
	var members []*member
	for _, o := range owners {
		members = append(members, o.join("localhost"))
	}
	deliver := func(number uint64) {
		t.Helper()
		if _, err := s.qs.service.Deliver(t.Context(), "localhost", messageTo(fmt.Append(nil, "message ", number), number, members...)); err != nil {
			t.Fatal(err)
		}
	}
	deliver(1)
	some := u.fetch(tokens.Queue, 8)
	spent, left := some[:4:4], some[4:]
	create := func(paid []byte) error {
		sign := newSigner()
		body := &wire.CreateQueue{OwnerKey: [32]byte(sign.Public()), SegmentKey: *owners[0].segments.Public()}
		return u.send(wire.OpCreateQueue, u.request(wire.OpCreateQueue, body, sign, [][]byte{paid}), nil)
	}
	for _, paid := range spent {
		ok(t, create(paid))
	}
	stop()
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	m, _ := toShards(t, &c, DS, QS, Issuer, Moderation)
	if _, err := c.Migrate(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for range 2 { // with the fences of all shards the second time
		s, stop = start(t, c)
		u.doc = provider(t, s.URL(DS))
		for _, paid := range spent {
			u.wantCode("a token spent before", create(paid), wire.CodeTokenSpent)
		}
		ok(t, create(left[0]))
		spent, left = append(spent, left[0]), left[1:]
		if len(left) == 3 {
			deliver(1) // again
			deliver(2)
			for n, o := range owners {
				if got := fmt.Sprint(o.receive(o.read(0))); got != "[message 1 message 2]" {
					t.Errorf("queue %d has %s", n, got)
				}
			}
		}
		stop()
	}
}
