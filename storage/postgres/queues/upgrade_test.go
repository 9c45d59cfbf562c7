package queues_test

import (
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

// TestUpgrade goes on, with each later schema, in a database that the first one with
// all tables was filled by.
func TestUpgrade(t *testing.T) {
	names, err := fs.Glob(queues.Schema.Migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	upto := func(n int) postgres.Schema {
		files := fstest.MapFS{}
		for _, name := range names[:n] {
			b, err := fs.ReadFile(queues.Schema.Migrations, name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = &fstest.MapFile{Data: b}
		}
		return postgres.Schema{Name: queues.Schema.Name, Migrations: files, Routing: queues.Schema.Routing}
	}
	const first, each = 7, 3 // entries of a queue with each schema
	ids := []wire.QueueID{{1}, {2}}
	d := pgtest.New(t, upto(first))
	for n := first; n <= len(names); n++ {
		schema := upto(n)
		if err := postgres.Migrate(t.Context(), postgres.Config{URL: d.OwnerURL()}, schema); err != nil {
			t.Fatal(err)
		}
		db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL()}, schema)
		if err != nil {
			t.Fatal(err)
		}
		s, err := queues.New(db, secret.Bytes{})
		if err != nil {
			t.Fatal(err)
		}
		for k := range each {
			number := uint64((n-first)*each + k + 1)
			var entries []qs.Append
			for _, id := range ids {
				settings := wire.QueueSettings{MaxEntries: 100, MaxBytes: 1 << 20, TTLDays: 30}
				if _, err := s.CreateQueue(t.Context(), id, 9, qs.Queue{Settings: settings}); err != nil {
					t.Fatal(err)
				}
				entries = append(entries, qs.Append{Queue: id, Mark: qs.Mark{1}, Number: number, Segment: wire.SegmentID{byte(n)},
					KEMOutput: []byte{byte(n)}, Ciphertext: fmt.Append(nil, number)})
			}
			for _, want := range []bool{true, false} { // the second time they are there
				appended, err := s.Append(t.Context(), 9, entries)
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range appended {
					if a.Outcome != wire.Delivered || a.Fresh != want {
						t.Fatalf("schema %d, entry %d: %+v", n, number, a)
					}
				}
			}
		}
		for _, id := range ids {
			page, err := s.ReadQueue(t.Context(), id, 9, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			if want := (n - first + 1) * each; len(page.Entries) != want {
				t.Fatalf("schema %d: %d entries, want %d", n, len(page.Entries), want)
			}
			for i, e := range page.Entries {
				if e.Seq != uint64(i+1) || string(e.Ciphertext) != fmt.Sprint(i+1) {
					t.Fatalf("schema %d: entry %d is %q of %d", n, i+1, e.Ciphertext, e.Seq)
				}
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		found := func(f postgres.Finding) { t.Errorf("schema %d: %+v", n, f) }
		if _, err := postgres.Inspect(t.Context(), postgres.Config{URL: d.OwnerURL()}, queues.Checks, found, schema); err != nil {
			t.Fatal(err)
		}
	}
}
