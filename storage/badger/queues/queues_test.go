package queues_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/badgertest"
	"github.com/pseudods/pseudods/storage/badger/queues"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
)

func TestStore(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Site { return newSite(t) })
}

type store struct {
	*queues.Store
	close func() error
}

func (s store) Close() error { return s.close() }

func newSite(t testing.TB) *badgertest.Site[queuetest.Store] {
	return badgertest.NewSite(t, badgertest.Driver[queuetest.Store]{Format: queues.Format, Check: queues.Check, New: func(db *badger.DB, close func() error) (queuetest.Store, error) {
		q, err := queues.New(context.Background(), db)
		return store{q, close}, err
	}})
}

// fsck checks a store and returns its findings, which are errors if want is nil.
func fsck(t testing.TB, dir string, want []badger.Finding) badger.Summary {
	t.Helper()
	return badgertest.Fsck(t, dir, queues.Format, queues.Check, want)
}

// TestRestoreOlderCopy: after an older copy of the files was put back, no
// KeyPackage that is in it leaves, as it may have left before; a new batch and
// that of last resort serve.
func TestRestoreOlderCopy(t *testing.T) {
	ctx, pool := context.Background(), wire.PoolID{1}
	dir, fence := filepath.Join(t.TempDir(), "db"), filepath.Join(t.TempDir(), "fence")
	open := func() (*badger.DB, *queues.Store) {
		t.Helper()
		db, err := badger.Open(badger.Config{Dir: dir, Format: queues.Format, MinFree: 1, Fence: fence, OnRollback: queues.OnRollback})
		if err != nil {
			t.Fatal(err)
		}
		s, err := queues.New(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		return db, s
	}
	take := func(s *queues.Store, request byte) string {
		t.Helper()
		k, err := s.Take(ctx, pool, 1, qs.Claim{Kind: wire.PoolConnection, Request: [32]byte{request}})
		if err != nil {
			t.Fatal(err)
		}
		return string(k)
	}
	publish := func(s *queues.Store, batch uint64, names ...string) wire.PoolStatus {
		t.Helper()
		p := qs.Part{Kind: wire.PoolConnection, Batch: batch, Last: true}
		for _, name := range names {
			p.KeyPackages = append(p.KeyPackages, qs.KeyPackage{Encoded: []byte(name), LastDay: 9, LastResort: name == "last resort"})
		}
		status, err := s.Publish(ctx, pool, p)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	db, s := open()
	publish(s, 1, "first", "second", "third", "last resort")
	if got := take(s, 1); got != "first" {
		t.Fatalf("took %q", got)
	}
	older := filepath.Join(t.TempDir(), "older")
	if err := storagetest.CopyLive(dir, older); err != nil {
		t.Fatal(err)
	}
	if got := take(s, 2); got != "second" {
		t.Fatalf("took %q", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	dir = older
	db, s = open()
	for request := byte(3); request < 6; request++ {
		if got := take(s, request); got != "last resort" {
			t.Fatalf("took %q from a restored copy", got)
		}
	}
	if status := publish(s, 1, "first"); status.Left != 0 {
		t.Fatalf("status %+v of a restored pool", status)
	}
	publish(s, 2, "fourth")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, s = open() // only once for each restore
	if got := take(s, 7); got != "fourth" {
		t.Fatalf("took %q", got)
	}

	// The same with a backup.
	publish(s, 3, "fifth", "sixth", "last resort")
	var copied bytes.Buffer
	if _, err := db.Backup(ctx, &copied, nil); err != nil {
		t.Fatal(err)
	}
	if got := take(s, 8); got != "fifth" {
		t.Fatalf("took %q", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "restored")
	check := func(ctx context.Context, db *badger.DB) error {
		_, err := queues.Check(ctx, db, func(f badger.Finding) { t.Errorf("found %+v", f) })
		return err
	}
	if _, err := badger.Restore(ctx, badger.RestoreConfig{Dir: dir, Format: queues.Format, Check: check}, &copied); err != nil {
		t.Fatal(err)
	}
	db, s = open()
	defer db.Close()
	if got := take(s, 9); got != "last resort" {
		t.Fatalf("took %q from a restored backup", got)
	}
}

// TestDeliveryIsOneBatch: a message to a hundred queues is synced once, payload
// included.
func TestDeliveryIsOneBatch(t *testing.T) {
	ctx, site := t.Context(), newSite(t)
	s, err := site.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries := make([]qs.Append, 100)
	for i := range entries {
		entries[i] = qs.Append{Queue: wire.QueueID{byte(i)}, Mark: qs.Mark{byte(i), 1}, Number: 1, KEMOutput: make([]byte, 32), Ciphertext: make([]byte, 272)}
		_, err := s.CreateQueue(ctx, entries[i].Queue, 1, qs.Queue{SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)},
			Settings: wire.QueueSettings{Version: 1, MaxEntries: 9, MaxBytes: 1 << 20, TTLDays: 9}})
		if err != nil {
			t.Fatal(err)
		}
	}
	before := site.DB().Stats().Batches
	results, err := s.(qs.Together).AppendPayload(ctx, 1, wire.PayloadID{0, 0, 0, 9}, make([]byte, 1<<10), len(entries), entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Outcome != wire.Delivered || !r.Fresh {
			t.Fatalf("results %+v", results)
		}
	}
	if n := site.DB().Stats().Batches - before; n != 1 {
		t.Errorf("%d batches", n)
	}
}
