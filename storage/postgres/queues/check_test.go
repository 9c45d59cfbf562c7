package queues_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

// rows are a queue with two entries left of three, in two segments, and a pool with
// three KeyPackages, and all else that there can be of them. Their shard is the first.
var rows = `insert into queues.queue values (` + id + `, decode(repeat('01', 32), 'hex'), 32, 'key', 1, '');
		insert into queues.head (queue, last, floor, bytes, max_bytes, segment, segment_start, max_entries, ttl, marks, used, drop_oldest, push)
			select ` + id + `, 3, 1, 0, 9999, 7, 3, 9, 9, 1, 9, false, false;
		insert into queues.mark values (` + id + `, ` + id + `, ` + id + `, 3, 9, false, false);
		insert into queues.entry values (` + id + `, 2, 2, 1, 9, 0, 'sealed'), (` + id + `, 3, 3, 2, 9, 0, 'sealed');
		insert into queues.segment values (` + id + `, 2, 6, 'output'), (` + id + `, 3, 7, 'output');
		select queues.add_day(9);
		insert into queues.payload values (9, ` + id + `, 'sealed');
		insert into queues.payload_need values (9, ` + id + `, '\x05');
		insert into queues.pool (pool, key, kind, contacts, batch, next, most, last_resort, staged, staged_most, staged_received)
			values (` + id + `, 'key', 1, 1, 1, 1, 3, true, 2, 1, 1);
		insert into queues.key_package select ` + id + `, b, n, 9, 'encoded' from (values (1, -1), (1, 1), (1, 2), (2, 0)) as v (b, n);
		insert into queues.contact values (` + id + `, 'contact', true);
		insert into queues.claim values (` + id + `, 'request', 9, 'encoded');
		update queues.head set bytes = 2 * (6 + ` + strconv.Itoa(qs.EntryOverhead) + `)`

const id = "'00000000-0000-0000-0000-000000000001'"

// TestChecks alters rows of a database, one kind after the other.
func TestChecks(t *testing.T) {
	d := pgtest.New(t, queues.Schema)
	const other = "'00000000-0000-0000-0000-000000000002'"
	if err := d.Exec(rows); err != nil {
		t.Fatal(err)
	}
	const differs, contradict, gap = "count differs from what is there", "numbers contradict each other", "not the next of its queue or pool"
	find := func(of ...string) (all []postgres.Finding) {
		for i := 0; i < len(of); i += 2 {
			all = append(all, postgres.Finding{Kind: of[i], Problem: of[i+1]})
		}
		return all
	}
	d.Damaged(t, queues.Checks, []string{"queues.queue", "queues.head", "queues.mark", "queues.entry", "queues.segment", "queues.payload", "queues.payload_need",
		"queues.pool", "queues.key_package", "queues.contact", "queues.claim"},
		pgtest.Damage{Name: "head", SQL: "delete from queues.head", Want: find("queue", "head is missing", "mark", "of no queue", "entry", "of no queue", "segment", "of no queue")},
		pgtest.Damage{Name: "queue", SQL: "delete from queues.queue", Want: find("head", "queue is missing")},
		pgtest.Damage{Name: "settings", SQL: "update queues.head set push = true", Want: find("queue", "head has other settings")},
		pgtest.Damage{Name: "owner", SQL: "update queues.queue set owner_key = ''", Want: find("queue", "does not decode")},
		pgtest.Damage{Name: "numbers", SQL: "update queues.head set segment_start = 4", Want: find("head", contradict, "head", "last segment is missing")},
		pgtest.Damage{Name: "marks", SQL: "delete from queues.mark", Want: find("head", differs)},
		pgtest.Damage{Name: "octets", SQL: "update queues.head set bytes = bytes + 1", Want: find("head", "sum of octets")},
		pgtest.Damage{Name: "last", SQL: "update queues.head set last = 4", Want: find("entry", gap)},
		pgtest.Damage{Name: "floor", SQL: "update queues.head set floor = 0", Want: find("entry", gap)},
		pgtest.Damage{Name: "entry", SQL: "delete from queues.entry where seq = 2", Want: find("head", "sum of octets", "entry", gap, "segment", "without entries")},
		pgtest.Damage{Name: "entry's segment", SQL: "delete from queues.segment where start = 2", Want: find("entry", "its segment is missing")},
		pgtest.Damage{Name: "another segment", SQL: "update queues.head set segment = 8", Want: find("segment", "head names another")},
		pgtest.Damage{Name: "stray", SQL: "insert into queues.entry values (" + other + ", 1, 1, 1, 9, 0, '')", Want: find("entry", "its segment is missing", "entry", "of no queue")},
		pgtest.Damage{Name: "references", SQL: "delete from queues.payload_need", Want: find("payload", "references are missing")},
		pgtest.Damage{Name: "payload", SQL: "delete from queues.payload", Want: find("references", "payload is missing")},
		pgtest.Damage{Name: "recipients", SQL: "update queues.payload_need set recipients = '\\x00'", Want: find("references", "recipients")},
		pgtest.Damage{Name: "pool", SQL: "delete from queues.pool", Want: find("KeyPackage", "of no pool", "contact", "of no pool", "claim", "of no pool")},
		pgtest.Damage{Name: "received", SQL: "update queues.pool set staged_received = 2", Want: find("pool", contradict)},
		pgtest.Damage{Name: "contacts", SQL: "delete from queues.contact", Want: find("pool", differs)},
		pgtest.Damage{Name: "staged", SQL: "delete from queues.key_package where batch = 2", Want: find("pool", "staged batch")},
		pgtest.Damage{Name: "KeyPackage", SQL: "delete from queues.key_package where batch = 1 and number = 2", Want: find("KeyPackage", gap)},
		pgtest.Damage{Name: "handed out", SQL: "update queues.pool set next = 2", Want: find("KeyPackage", gap)},
		pgtest.Damage{Name: "last resort", SQL: "delete from queues.key_package where number = -1", Want: find("KeyPackage", "of last resort is missing")},
		pgtest.Damage{Name: "batch", SQL: "update queues.key_package set batch = 0 where batch = 2", Want: find("pool", "staged batch", "KeyPackage", "of no batch of its pool")},
		pgtest.Damage{Name: "day of references", SQL: "create table queues.payload_8 partition of queues.payload for values in (8)", Want: find("references", "partition of a day is missing")},
		pgtest.Damage{Name: "day of payloads", SQL: "create table queues.payload_need_8 partition of queues.payload_need for values in (8); drop table queues.payload_9",
			Want: find("references", "payload is missing", "payload", "partition of a day is missing")},
	)
}

// TestChecksPlaces: rows that are another shard's.
func TestChecksPlaces(t *testing.T) {
	shard := pgtest.NewSharded(t, 2, postgres.FenceSchema, queues.Schema).Shards[0]
	if err := shard.Exec(rows); err != nil {
		t.Fatal(err)
	}
	shard.Misplaced(t, queues.Checks, "queue", "head", "mark", "entry", "segment", "payload", "references", "pool", "KeyPackage", "contact", "claim")
}

// TestChecksInTheWay: a standby that does not let questions stand in the way of what it
// replays, while days are dropped, ends some of them, and the sessions of those that had
// not come in whole. They are asked again, and counted once.
func TestChecksInTheWay(t *testing.T) {
	c := pgtest.Start(t, "max_standby_streaming_delay=0")
	d := pgtest.On(t, c, queues.Schema)
	if err := d.Exec(rows); err != nil {
		t.Fatal(err)
	}
	on := d.Standby(c.Standby(t, "copy"))
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if err := d.Exec("select queues.add_day(1); drop table queues.payload_1, queues.payload_need_1"); err != nil {
				stopped <- err
				return
			}
		}
	}()
	proxy := pgtest.NewProxy(t, on.Cluster())
	inspect := func() {
		summary, err := postgres.Inspect(t.Context(), postgres.Config{URL: proxy.OwnerURL(on)}, queues.Checks, nil, queues.Schema)
		if err != nil || summary.Findings > 0 {
			t.Fatalf("%+v, %v", summary, err)
		}
		for _, tally := range summary.Tallies {
			if want := map[string]uint64{"entry": 2, "payload": 1, "KeyPackage": 4}[tally.Kind]; want > 0 && tally.Records != want {
				t.Fatalf("counted %+v", tally)
			}
		}
	}
	end := time.Now().Add(2 * time.Minute)
	ended := func() bool {
		return on.Holds(t, "select from pg_stat_database_conflicts where datname = current_database() and confl_lock + confl_snapshot > 0")
	}
	for !ended() {
		if inspect(); time.Now().After(end) {
			t.Fatal("no question was in the way")
		}
	}
	proxy.Slow(2 * time.Millisecond)
	for sessions := proxy.Accepted(); proxy.Accepted() == sessions; {
		if inspect(); time.Now().After(end) {
			t.Fatal("no session was")
		}
		sessions++
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
}

// TestChecksOnStandby: a standby, which takes no writes, shows what its server has.
func TestChecksOnStandby(t *testing.T) {
	c := pgtest.Start(t)
	d := pgtest.ShardedOn(t, c, []*pgtest.Cluster{c, c}, postgres.FenceSchema, queues.Schema)
	shard := d.Shards[0]
	if err := shard.Exec(rows); err != nil {
		t.Fatal(err)
	}
	on := shard.Standby(c.Standby(t, "copy"))
	if !on.Holds(t, "select where pg_is_in_recovery()") {
		t.Fatal("it is no standby")
	}
	on.Fsck(t, queues.Checks)
	// A pool of the other shard, and a day whose payloads were dropped by hand.
	if err := shard.Exec("insert into queues.pool select (jsonb_populate_record(p, '{\"pool\": \"01000000-0000-0000-0000-000000000001\", \"contacts\": 0, \"batch\": 0, \"next\": 0, \"most\": 0, \"last_resort\": false, \"staged\": 0, \"staged_most\": 0, \"staged_received\": 0}')).* from queues.pool p; drop table queues.payload_9"); err != nil {
		t.Fatal(err)
	}
	for replayed := false; !replayed; {
		if err := c.Query("postgres", "select bool_and(replay_lsn = pg_current_wal_lsn()) from pg_stat_replication", &replayed); err != nil {
			t.Fatal(err)
		}
	}
	on.Fsck(t, queues.Checks, postgres.Finding{Kind: "references", Problem: "payload is missing"}, postgres.Finding{Kind: "payload", Problem: "partition of a day is missing"},
		postgres.Finding{Kind: "pool", Problem: "in the wrong shard"})
}

// TestChecksReadByRanges: how much is read for a range does not depend on how many
// ranges there are.
func TestChecksReadByRanges(t *testing.T) {
	d := pgtest.New(t, queues.Schema)
	const n = 10_000
	fill(t, d, n, 1)
	if err := d.Exec("select pg_stat_reset()"); err != nil {
		t.Fatal(err)
	}
	if summary, err := postgres.Inspect(t.Context(), postgres.Config{URL: d.OwnerURL()}, queues.Checks, nil, queues.Schema); err != nil || summary.Findings > 0 {
		t.Fatalf("%+v, %v", summary, err)
	}
	// What a session did is counted a moment after it has ended.
	for end := time.Now().Add(time.Minute); !d.Holds(t, fmt.Sprintf("select from pg_stat_user_tables where relid = 'queues.head'::regclass and idx_tup_fetch >= %d", n)); {
		if time.Now().After(end) {
			t.Fatal("nothing is counted")
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, table := range []string{"queue", "head", "entry", "segment"} {
		if !d.Holds(t, fmt.Sprintf("select from pg_stat_user_tables where relid = 'queues.%s'::regclass and seq_tup_read < %d", table, 16*n)) {
			t.Errorf("%s was read for each range", table)
		}
	}
}
