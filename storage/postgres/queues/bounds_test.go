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

// fill makes queues, unused since day 1, with each so many entries of 1 octet of that
// day, as a superuser.
func fill(t *testing.T, d *pgtest.Database, n, entries int) {
	t.Helper()
	if err := d.Exec(fmt.Sprintf(`insert into queues.queue select encode(int4send(i) || decode(repeat('00', 12), 'hex'), 'hex')::uuid, decode(repeat('00', 32), 'hex'), 1, '', -9223372036854775807, '' from generate_series(1, %[1]d) i;
insert into queues.head (queue, last, bytes, max_bytes, max_entries, ttl, used, drop_oldest, push, segment_start, oldest, segment)
	select queue, %[2]d, %[2]d * (1 + %[3]d), 1 << 30, 100000, 30, 1, true, false, 1, 1, 1 from queues.queue;
insert into queues.segment select queue, 1, 1, '' from queues.queue;
insert into queues.entry select queue, k, 1, 1, 1, 1, 'x' from queues.queue, generate_series(1, %[2]d) k`, n, entries, qs.EntryOverhead)); err != nil {
		t.Fatal(err)
	}
}

func impatient(t *testing.T, d *pgtest.Database, timeout time.Duration) *queues.Store {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL(), Timeout: timeout}, queues.Schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := queues.New(db, secret.Bytes{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestShrunkQueue: an owner who fills a queue and then asks for a small one does not hold
// up a delivery to others.
func TestShrunkQueue(t *testing.T) {
	d := pgtest.New(t, queues.Schema)
	fill(t, d, 2, 10_000)
	s := impatient(t, d, 2*time.Second)
	full, other := wire.QueueID{3: 1}, wire.QueueID{3: 2}
	if _, err := s.ConfigureQueue(t.Context(), full, wire.QueueSettings{Version: 2, MaxEntries: 1, MaxBytes: 1 << 20, TTLDays: 30, Overflow: wire.OverflowDropOldest}); err != nil {
		t.Fatal(err)
	}
	for number := uint64(1); ; number++ {
		var entries []qs.Append
		for _, id := range []wire.QueueID{full, other} {
			entries = append(entries, qs.Append{Queue: id, Mark: qs.Mark{1}, Number: number, Segment: wire.SegmentID{1}, KEMOutput: []byte("k"), Ciphertext: []byte("y")})
		}
		out, err := s.Append(t.Context(), 2, entries)
		if err != nil || out[1].Outcome != wire.Delivered {
			t.Fatalf("append %d: %+v, %v", number, out, err)
		}
		if out[0].Outcome == wire.Delivered {
			break
		}
		if number == 3 {
			t.Fatalf("still %d", out[0].Outcome)
		}
	}
	page, err := s.ReadQueue(t.Context(), full, 2, 0, 2)
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Seq != 10_001 {
		t.Fatalf("%+v, %v", page, err)
	}
	d.Fsck(t, queues.Checks)
}

// TestExpiryOfMuch: much that has expired is forgotten in calls that each are short.
func TestExpiryOfMuch(t *testing.T) {
	for _, e := range []qs.Expiry{{Entries: 99}, {Queues: 99}} {
		d := pgtest.New(t, queues.Schema)
		fill(t, d, 256, 400)
		if err := impatient(t, d, 500*time.Millisecond).Expire(t.Context(), e); err != nil {
			t.Error(err)
		}
		if !d.Holds(t, "select where not exists (select from queues.entry)") || e.Queues > 0 && !d.Holds(t, "select where not exists (select from queues.head)") {
			t.Errorf("after expiry of %+v something is there", e)
		}
	}
}

// TestDayDroppedUnderWriters: a day is dropped, in turn with who reads it, while a payload
// is put: neither waits for the other for ever.
func TestDayDroppedUnderWriters(t *testing.T) {
	d := pgtest.New(t, queues.Schema)
	s := impatient(t, d, 0)
	payload := func(day, n byte) wire.PayloadID { return wire.PayloadID{3: day, 4: n} }
	for day := byte(1); day <= 2; day++ {
		if err := s.PutPayload(t.Context(), payload(day, 1), []byte("p"), 1); err != nil {
			t.Fatal(err)
		}
	}
	reading := make(chan error, 1)
	go func() {
		reading <- d.Exec("begin; select from queues.payload_need; select pg_sleep(1); commit")
	}()
	waits := func(n int) {
		t.Helper()
		for !d.Holds(t, fmt.Sprintf("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' having count(*) >= %d", n)) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	for !d.Holds(t, "select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'") {
		time.Sleep(5 * time.Millisecond)
	}
	calls := make(chan error, 2)
	go func() { calls <- s.Expire(t.Context(), qs.Expiry{Payloads: 2}) }()
	waits(1)
	go func() { calls <- s.PutPayload(t.Context(), payload(2, 2), []byte("p"), 1) }()
	waits(2)
	for _, c := range []chan error{reading, calls, calls} {
		if err := <-c; err != nil {
			t.Fatal(err)
		}
	}
	d.Fsck(t, queues.Checks)
	if !d.Holds(t, "select from pg_stat_database where datname = current_database() and deadlocks = 0") {
		t.Fatal("deadlock")
	}
}
