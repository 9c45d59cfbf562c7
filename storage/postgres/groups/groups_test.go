package groups_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/storagetest/grouptest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestStore(t *testing.T) {
	grouptest.Run(t, func(t *testing.T) grouptest.Site { return newSite(t) })
}

// TestStoreSharded: a router with two shards is a store as any other.
func TestStoreSharded(t *testing.T) {
	grouptest.Run(t, func(t *testing.T) grouptest.Site {
		d, proxies := pgtest.NewBehindProxies(t, 2, groups.Schema)
		return &site{Database: d, proxies: proxies}
	})
}

// site is a database behind proxies that can lose its connections.
type site struct {
	*pgtest.Database
	proxies pgtest.Proxies
	open    *store
}

func newSite(t *testing.T) *site {
	d := pgtest.New(t, groups.Schema)
	d.Check(t, groups.Checks)
	return &site{Database: d, proxies: pgtest.Proxies{pgtest.NewProxy(t, d.Cluster())}}
}

type store struct {
	*groups.Store
	db *postgres.DB
}

func (s *store) Close() error { return s.db.Close() }

func (s *site) Open() (grouptest.Store, error) {
	s.proxies.Disarm()
	db, err := postgres.Open(context.Background(), postgres.Config{URL: s.proxies.URL(s.Database), Timeout: time.Second}, groups.Schema)
	if err != nil {
		return nil, err
	}
	s.open = &store{groups.New(db), db}
	return s.open, nil
}

// Crash crashes the server under the open store.
func (s *site) Crash() error { return errors.Join(s.Database.Crash(), s.open.Close()) }

// Steps are those at which a connection is lost: each test of one waits for what
// does not answer, so that the short form leaves them out.
func (s *site) Steps() int {
	if testing.Short() {
		return 0
	}
	return s.proxies.Steps()
}

func (s *site) Fail(step int) { s.proxies.Arm(step, -1) }

// TestLostAnswers: a batch whose answers are lost a few times is made once, and
// its caller hears so; one that lost meanwhile against another is not told that
// nothing was written.
func TestLostAnswers(t *testing.T) {
	s := newSite(t)
	st, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	group := wire.GroupID{1}
	batch := func(base uint64) *ds.Batch {
		return &ds.Batch{Base: base, Puts: []ds.Record{{Key: []byte("a"), Value: fmt.Append(nil, base)}}, Messages: []ds.Message{{Lane: ds.Lane{1}, Parts: [][]byte{[]byte("m")}}}}
	}
	for base := range uint64(4) {
		s.proxies.Arm(int(pgtest.BeforeAnswer), int(base))
		if err := st.Commit(t.Context(), group, batch(base)); err != nil || s.proxies.Disarm() != int(base) {
			t.Fatalf("batch %d: %v", base, err)
		}
		if got, err := st.Read(t.Context(), group, nil); err != nil || got.Version != base+1 || got.Sequence != base+1 {
			t.Fatalf("after batch %d: %+v, %v", base, got, err)
		}
	}
	s.proxies.Arm(int(pgtest.BeforeAnswer), 1)
	if err := st.Commit(t.Context(), group, batch(0)); !errors.Is(err, postgres.ErrAmbiguous) {
		t.Fatalf("a batch that may be the one that was made: %v", err)
	}
	s.proxies.Disarm()
	if err := st.Commit(t.Context(), group, batch(0)); !errors.Is(err, ds.ErrConflict) {
		t.Fatalf("a batch that was answered: %v", err)
	}
	s.proxies.Arm(int(pgtest.BeforeAnswer), 2)
	if next, err := st.Done(t.Context(), group, ds.Lane{1}, 2); err != nil || next != 3 {
		t.Fatalf("next: %d, %v", next, err)
	}
	if first, err := st.First(t.Context(), group, ds.Lane{1}); err != nil || first != 3 {
		t.Fatalf("first: %d, %v", first, err)
	}
}

// killed is how long sessions live: behind a router new ones take longer to begin.
func killed(d *pgtest.Database) time.Duration {
	if d.Shards != nil {
		return time.Second
	}
	return 200 * time.Millisecond
}

// TestINV05ManyProcesses lets several processes' stores race for versions of a few
// groups while sessions are killed: of each version one batch is made, and every
// batch that was said to be made is there.
func TestINV05ManyProcesses(t *testing.T) { pgtest.Both(t, testManyProcesses, groups.Schema) }

func testManyProcesses(t *testing.T, d *pgtest.Database) {
	d.Check(t, groups.Checks)
	var made [3][200]atomic.Int32
	var ambiguous atomic.Int32
	stop := make(chan bool)
	var wg, killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(killed(d)):
				if err := d.Exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 3 {
		st := groups.New(d.Open(t))
		for worker := range 4 {
			wg.Go(func() {
				group := wire.GroupID{byte(worker % len(made))}
				for {
					got, err := st.Read(t.Context(), group, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if got.Version >= 60 {
						return
					}
					err = st.Commit(t.Context(), group, &ds.Batch{Base: got.Version, Puts: []ds.Record{{Key: fmt.Append(nil, got.Version), Value: []byte("v")}}})
					switch {
					case err == nil:
						made[worker%len(made)][got.Version].Add(1)
					case errors.Is(err, postgres.ErrAmbiguous):
						ambiguous.Add(1)
					case !errors.Is(err, ds.ErrConflict):
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	close(stop)
	killer.Wait()
	unclaimed := 0
	for g := range made {
		for version := range 60 {
			switch made[g][version].Load() {
			case 0:
				unclaimed++
			case 1:
			default:
				t.Errorf("group %d version %d was made %d times", g, version, made[g][version].Load())
			}
		}
	}
	if unclaimed > int(ambiguous.Load()) {
		t.Errorf("%d versions that nobody made, %d outcomes unknown", unclaimed, ambiguous.Load())
	}
}
