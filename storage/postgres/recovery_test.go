package postgres_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgserver"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

// role is all stores that can be in one database.
type role struct {
	ledger *ledger.Ledger
	groups *groups.Store
	queues *queues.Store
	close  func()
}

// TestINV04PointInTimeRecovery restores a database from a base backup and the
// archive of its log, to a moment before tokens were spent. The fence finds that:
// no token of a key of that time is good again, KeyPackages are not handed out again,
// and groups and queues are as they were.
func TestINV04PointInTimeRecovery(t *testing.T) {
	primary := pgtest.Start(t, pgserver.Archiving...)
	schemas := []postgres.Schema{postgres.MoveSchema, postgres.FenceSchema, ledger.Schema, groups.Schema, queues.Schema}
	d := pgtest.On(t, primary, schemas...)
	fence := filepath.Join(t.TempDir(), "fence")
	key, err := tokens.NewNullifierKey(secret.New(bytes.Repeat([]byte{1}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	open := func(url string) *role {
		t.Helper()
		db, err := postgres.Open(t.Context(), postgres.Config{URL: url}, schemas...)
		check(err)
		l, err := ledger.Open(t.Context(), ledger.Config{DB: db, Fence: fence, Key: key})
		check(err)
		q, err := queues.New(db, secret.Bytes{})
		check(err)
		check(q.NoteRestores(t.Context(), l.Restores()))
		return &role{l, groups.New(db), q, func() { l.Close(); db.Close() }}
	}
	const today = qs.Day(20_000)
	m, group, queue, pool := storagetest.NewMint("key"), wire.GroupID{1}, wire.QueueID{2}, wire.PoolID{3}
	spend := func(r *role, m *storagetest.Mint, n uint64, request string) error {
		_, err := r.ledger.Spend(t.Context(), m.Nth(n), storagetest.Digest(request))
		return err
	}
	commit := func(r *role, base uint64) error {
		return r.groups.Commit(t.Context(), group, &ds.Batch{Base: base, Puts: []ds.Record{{Key: []byte{1}, Value: []byte{byte(base)}}}})
	}
	add := func(r *role, number uint64) []qs.Appended {
		t.Helper()
		out, err := r.queues.Append(t.Context(), today, []qs.Append{{Queue: queue, Mark: qs.Mark{1}, Number: number, Ciphertext: []byte{byte(number)}}})
		check(err)
		return out
	}
	take := func(r *role, request byte) (string, error) {
		b, err := r.queues.Take(t.Context(), pool, today, qs.Claim{Kind: wire.PoolConnection, Request: [32]byte{request}})
		return string(b), err
	}

	r := open(d.URL())
	check(r.ledger.OpenEpoch(t.Context(), m.Epoch(100)))
	base, err := primary.BaseBackup("")
	check(err)
	t.Cleanup(func() { base.Remove() })
	// What follows is in the archive alone.
	check(spend(r, m, 1, "a"))
	check(commit(r, 0))
	_, err = r.queues.CreateQueue(t.Context(), queue, today, qs.Queue{Settings: wire.QueueSettings{Version: 1, MaxEntries: 10, MaxBytes: 1 << 20, TTLDays: 9}})
	check(err)
	add(r, 1)
	part := qs.Part{Kind: wire.PoolConnection, Batch: 1, Last: true}
	for _, name := range []string{"one", "two", "last resort"} {
		part.KeyPackages = append(part.KeyPackages, qs.KeyPackage{Encoded: []byte(name), LastDay: today, LastResort: name == "last resort"})
	}
	_, err = r.queues.Publish(t.Context(), pool, part)
	check(err)
	time.Sleep(50 * time.Millisecond)
	moment := time.Now()
	time.Sleep(50 * time.Millisecond)
	// And this is lost.
	check(spend(r, m, 2, "a"))
	check(commit(r, 1))
	add(r, 2)
	if taken, err := take(r, 1); err != nil || taken != "one" {
		t.Fatalf("took %q: %v", taken, err)
	}
	r.close()
	check(primary.Archive())
	check(base.Recover(primary.Server, moment))
	primary.Crash()

	r = open(base.URL(d.Name(), d.Name()+"_app"))
	defer r.close()
	if r.ledger.Restores() != 1 {
		t.Errorf("%d restores", r.ledger.Restores())
	}
	for n := range uint64(3) {
		if err := spend(r, m, n+1, "b"); !errors.Is(err, tokens.ErrEpochFenced) {
			t.Errorf("token %d of a key of the time before: %v", n+1, err)
		}
	}
	next := storagetest.NewMint("next key")
	check(r.ledger.OpenEpoch(t.Context(), next.Epoch(100)))
	check(spend(r, next, 1, "a"))

	snapshot, err := r.groups.Read(t.Context(), group, []ds.Lookup{{Key: []byte{1}}})
	check(err)
	if snapshot.Version != 1 || !bytes.Equal(snapshot.Records[0].Value, []byte{0}) {
		t.Errorf("group %+v", snapshot)
	}
	if err := commit(r, 2); !errors.Is(err, ds.ErrConflict) {
		t.Errorf("a commit on one that was lost: %v", err)
	}
	check(commit(r, 1))

	page, err := r.queues.ReadQueue(t.Context(), queue, today, 0, 10)
	check(err)
	if len(page.Entries) != 1 || page.Entries[0].Seq != 1 {
		t.Errorf("queue %+v", page)
	}
	if out := add(r, 1); out[0].Fresh {
		t.Error("an entry that was kept came twice")
	}
	// The delivery service numbers above what was lost; here the number is enough.
	if out := add(r, 1<<48|2); !out[0].Fresh {
		t.Errorf("an entry after the restore: %+v", out)
	}
	if taken, err := take(r, 2); err != nil || taken != "last resort" {
		t.Errorf("took %q: %v; the others may have left", taken, err)
	}
}
