package queues_test

import (
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

// TestRestoreOlderCopy: after an older copy of the database was put in its place,
// no KeyPackage that is in it leaves, as it may have left before; a new batch and
// that of last resort serve.
func TestRestoreOlderCopy(t *testing.T) {
	ctx, pool := t.Context(), wire.PoolID{1}
	d := pgtest.New(t, queues.Schema)
	s, err := queues.New(d.Open(t), secret.Bytes{})
	if err != nil {
		t.Fatal(err)
	}
	take := func(request byte, want string) {
		t.Helper()
		got, err := s.Take(ctx, pool, 1, qs.Claim{Kind: wire.PoolConnection, Request: [32]byte{request}})
		if err != nil || string(got) != want {
			t.Fatalf("took %q, %v, want %q", got, err, want)
		}
	}
	publish := func(batch uint64, names ...string) {
		t.Helper()
		p := qs.Part{Kind: wire.PoolConnection, Batch: batch, Last: true}
		for _, name := range names {
			p.KeyPackages = append(p.KeyPackages, qs.KeyPackage{Encoded: []byte(name), LastDay: 9, LastResort: name == "last resort"})
		}
		if _, err := s.Publish(ctx, pool, p); err != nil {
			t.Fatal(err)
		}
	}
	note := func(times int) {
		t.Helper()
		if err := s.NoteRestores(ctx, times); err != nil {
			t.Fatal(err)
		}
	}
	publish(1, "first", "second", "third", "last resort")
	take(1, "first")
	note(0)
	take(2, "second")
	note(1)
	take(3, "last resort")
	take(2, "second") // a retry is not a new request
	if status, err := s.Publish(ctx, pool, qs.Part{Kind: wire.PoolConnection, Batch: 1, Last: true}); err != nil || status.Left != 0 {
		t.Fatalf("%+v, %v", status, err)
	}
	publish(2, "fourth", "fifth", "last resort")
	note(1) // once for each restore
	take(4, "fourth")
	note(2)
	take(5, "last resort")
}
