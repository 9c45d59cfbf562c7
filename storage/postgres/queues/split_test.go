package queues_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

// TestSplit makes four shards of two, as docs/operations.md says, by a physical copy
// of their server: everything is found, at its place alone, and a delivery that was
// made before is known.
func TestSplit(t *testing.T) {
	ctx := t.Context()
	c := pgtest.Start(t)
	d := pgtest.ShardedOn(t, c, []*pgtest.Cluster{c, c}, postgres.FenceSchema, queues.Schema)
	fence := postgres.FenceConfig{Path: t.TempDir() + "/fence"}
	open := func() (*queues.Store, func()) {
		t.Helper()
		db := d.Open(t)
		f, err := postgres.OpenFence(ctx, db, fence)
		if err != nil {
			t.Fatal(err)
		}
		s, err := queues.New(db, wakeKey)
		if err != nil {
			t.Fatal(err)
		}
		return s, func() {
			if err := errors.Join(f.Close(), db.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	const n = 64
	var ids [n]wire.QueueID
	var payloads [n]wire.PayloadID
	var entries []qs.Append
	fill := func(s *queues.Store, number uint64) {
		t.Helper()
		entries = entries[:0]
		for i := range ids {
			entries = append(entries, qs.Append{Queue: ids[i], Mark: qs.Mark{1}, Number: number, Ciphertext: fmt.Append(nil, i, number)})
		}
		out, err := s.Append(ctx, 1, entries)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			if !o.Fresh {
				t.Fatalf("%+v", o)
			}
		}
	}
	check := func(s *queues.Store, numbers int) {
		t.Helper()
		for i := range ids {
			page, err := s.ReadQueue(ctx, ids[i], 1, 0, 99)
			if err != nil || len(page.Entries) != numbers {
				t.Fatalf("queue %d: %+v, %v", i, page, err)
			}
			for k, e := range page.Entries {
				if e.Seq != uint64(k+1) || string(e.Ciphertext) != string(fmt.Append(nil, i, k+1)) {
					t.Fatalf("queue %d, entry %d: %d %q", i, k, e.Seq, e.Ciphertext)
				}
			}
			if p, err := s.Payload(ctx, payloads[i]); err != nil || string(p) != fmt.Sprint(i) {
				t.Fatalf("payload %d: %q, %v", i, p, err)
			}
		}
	}

	s, closeStore := open()
	for i := range ids {
		ids[i] = wire.QueueID{byte(i), byte(i >> 3)}
		payloads[i] = wire.PayloadID{3: 9, 4: byte(i)}
		q := qs.Queue{SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)}, Settings: wire.QueueSettings{Version: 1, MaxEntries: 99, MaxBytes: 1 << 20, TTLDays: 9}}
		if _, err := s.CreateQueue(ctx, ids[i], 1, q); err != nil {
			t.Fatal(err)
		}
		if err := s.PutPayload(ctx, payloads[i], fmt.Append(nil, i), 1); err != nil {
			t.Fatal(err)
		}
	}
	fill(s, 1)
	copied := c.Standby(t, "copy") // while the shards are used
	fill(s, 2)

	old := d.Sharding()
	d.Double(copied)
	standby := d.Sharding()
	if err := postgres.Split(ctx, standby, postgres.FenceSchema, queues.Schema); !errors.Is(err, postgres.ErrInUse) {
		t.Fatalf("a split while the shards are used: %v", err)
	}
	closeStore()
	if err := postgres.Split(ctx, standby, postgres.FenceSchema, queues.Schema); err == nil {
		t.Fatal("a copy that still follows was made a shard")
	}
	for there := false; !there; {
		if err := c.Query("postgres", "select bool_and(replay_lsn = pg_current_wal_lsn()) from pg_stat_replication", &there); err != nil {
			t.Fatal(err)
		}
	}
	if err := copied.Promote(); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.RouterScript(ctx, standby, postgres.FenceSchema, queues.Schema); !errors.Is(err, postgres.ErrConfig) {
		t.Fatalf("a router over copies that are no shards: %v", err)
	}
	swapped := standby
	swapped.Shards = []string{old.Shards[0], old.Shards[1], standby.Shards[3], standby.Shards[2]}
	if err := postgres.Split(ctx, swapped, postgres.FenceSchema, queues.Schema); !errors.Is(err, postgres.ErrConfig) {
		t.Fatalf("copies in a wrong order: %v", err)
	}
	for range 2 { // the second time there is nothing left to do
		if err := postgres.Split(ctx, standby, postgres.FenceSchema, queues.Schema); err != nil {
			t.Fatal(err)
		}
	}
	// The copies do not answer to the list that there was, nor do the others any more.
	if err := postgres.MigrateShards(ctx, old, postgres.FenceSchema, queues.Schema); !errors.Is(err, postgres.ErrConfig) {
		t.Fatalf("the old list: %v", err)
	}
	d.Reroute(t)
	s, closeStore = open() // with the fences of the shards that there were
	check(s, 2)
	fill(s, 3) // while rows of the other halves are still there
	removed := map[string]int64{}
	if err := postgres.RemoveOthers(ctx, standby, func(r postgres.Removed) { removed[r.Table] += r.Rows }, postgres.FenceSchema, queues.Schema); err != nil {
		t.Fatal(err)
	}
	if removed["queues.head"] != n || removed["queues.entry"] != 2*n || removed["queues.payload"] != n || removed["queues.mark"] != n {
		t.Fatalf("removed %v", removed)
	}
	check(s, 3)
	fill(s, 4)
	check(s, 4)
	closeStore()
	rows := 0
	for i, shard := range d.Shards {
		for _, id := range ids {
			want := postgres.Place(id[:], 0, 4) == i
			if got := shard.Holds(t, fmt.Sprintf("select from queues.head where queue = '%x'", id[:])); got != want {
				t.Fatalf("shard %d has queue %x: %t", i, binary.BigEndian.Uint16(id[:]), got)
			}
			if want {
				rows++
			}
		}
	}
	if rows != n {
		t.Fatalf("%d queues have a place", rows)
	}
}
