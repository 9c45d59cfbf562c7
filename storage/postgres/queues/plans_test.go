package queues_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

// TestPlansOutliveGrowth: what a session planned when tables were small reads by their
// keys when they have grown, though nobody has counted their rows again.
func TestPlansOutliveGrowth(t *testing.T) {
	d := pgtest.New(t, queues.Schema)
	db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL(), MaxConns: 1}, queues.Schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := queues.New(db, secret.Bytes{})
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string) {
		t.Helper()
		if err := d.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`do $$ declare n regclass; begin
	for n in select c.oid from pg_class c where c.relnamespace = 'queues'::regnamespace and c.relkind = 'r' loop
		execute format('alter table %s set (autovacuum_enabled = off)', n);
	end loop; end $$`)
	fill(t, d, 10, 2)
	use := func(round byte) {
		for n := range byte(7) { // more often than a statement is planned for its arguments
			id, pool, payload := wire.QueueID{round, n}, wire.PoolID{round, n}, wire.PayloadID{3: 9, 4: round, 5: n}
			settings := wire.QueueSettings{MaxEntries: 9, MaxBytes: 1 << 20, TTLDays: 30}
			part := qs.Part{Kind: wire.PoolConnection, Batch: 1, Last: true, KeyPackages: []qs.KeyPackage{{LastDay: 9, Encoded: []byte("k")}}}
			for _, do := range []func() error{
				func() error { _, err := s.CreateQueue(t.Context(), id, 9, qs.Queue{Settings: settings}); return err },
				func() error { _, err := s.Queue(t.Context(), id); return err },
				func() error {
					_, err := s.Append(t.Context(), 9, []qs.Append{{Queue: id, Mark: qs.Mark{1}, Number: 1, Segment: wire.SegmentID{1}, KEMOutput: []byte("k")}})
					return err
				},
				func() error { _, err := s.ReadQueue(t.Context(), id, 10, 0, 9); return err },
				func() error { _, err := s.ConfigureQueue(t.Context(), id, wire.QueueSettings{Version: 1}); return err },
				func() error { return s.AckQueue(t.Context(), id, 10, 1) },
				func() error { return s.Revoke(t.Context(), id, 9, qs.Mark{1}) },
				func() error { return s.DeleteQueue(t.Context(), id) },
				func() error { return s.PutPayload(t.Context(), payload, []byte("p"), 1) },
				func() error { _, err := s.Payload(t.Context(), payload); return err },
				func() error { return s.Release(t.Context(), payload, []uint16{0}) },
				func() error { _, err := s.Publish(t.Context(), pool, part); return err },
				func() error { _, err := s.PoolKey(t.Context(), pool); return err },
				func() error { return s.Allow(t.Context(), pool, wire.ContactHash{1}, true) },
				func() error { _, err := s.Take(t.Context(), pool, 9, qs.Claim{Kind: wire.PoolConnection}); return err },
				func() error { return s.DeletePool(t.Context(), pool) },
			} {
				if err := do(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	exec(`select queues.add_day(9); insert into queues.payload values (9, '00000009-0000-0000-0000-000000000000', 'p');
insert into queues.payload_need values (9, '00000009-0000-0000-0000-000000000000', '\x01');
insert into queues.pool (pool, key, kind) select gen_random_uuid(), 'k', 1 from generate_series(1, 10);
insert into queues.key_package select pool, 1, 1, 9, 'k' from queues.pool; insert into queues.contact select pool, 'c', true from queues.pool;
insert into queues.claim select pool, 'r', 9, 'k' from queues.pool`)
	const rows = 5000
	exec(fmt.Sprintf(`create function grow(t text, columns text) returns void language plpgsql as $$ begin
	execute format('insert into queues.%%s select %%s from generate_series(1, %d) i', t, columns); end $$`, rows))
	exec("vacuum analyze")
	use(0xf0)
	exec(`select grow(t, c) from (values
	('queue', 'gen_random_uuid(), '''', 1, '''', 1, '''''), ('head', 'gen_random_uuid(), 0, 0, 0, 1, 0, 0, 1, 1, 0, 9, 0, false, false'),
	('mark', 'gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 9, false, false'), ('entry', 'gen_random_uuid(), 1, 1, 1, 9, 1, ''x'''),
	('segment', 'gen_random_uuid(), 1, 1, '''''), ('payload', '9, gen_random_uuid(), ''p'''), ('payload_need', '9, gen_random_uuid(), ''\x01'''),
	('pool', 'gen_random_uuid(), ''k'', 1'), ('key_package', 'gen_random_uuid(), 1, 1, 9, ''k'''), ('contact', 'gen_random_uuid(), ''c'', true'),
	('claim', 'gen_random_uuid(), ''r'', 9, ''k''')) v (t, c)`)
	use(0xf1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// What a session did is counted a moment after it has ended.
	for end := time.Now().Add(time.Minute); !d.Holds(t, "select from pg_stat_user_tables where relid = 'queues.claim'::regclass and n_tup_del >= 14"); {
		if time.Now().After(end) {
			t.Fatal("nothing is counted")
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, table := range []string{"queue", "head", "mark", "entry", "segment", "payload_9", "payload_need_9", "pool", "key_package", "contact", "claim"} {
		if !d.Holds(t, fmt.Sprintf("select from pg_stat_user_tables where schemaname = 'queues' and relname = '%s' and seq_tup_read < %d", table, rows)) {
			t.Errorf("%s was read from end to end", table)
		}
	}
}
