package reports_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/reports"
	"github.com/pseudods/pseudods/storage/storagetest/reporttest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func newDatabase(t *testing.T) *pgtest.Database {
	return checked(t, pgtest.New(t, postgres.DutySchema, reports.Schema))
}

func newSharded(t *testing.T) *pgtest.Database {
	return checked(t, pgtest.NewSharded(t, 2, postgres.DutySchema, reports.Schema))
}

func checked(t *testing.T, d *pgtest.Database) *pgtest.Database {
	d.Check(t, reports.Checks)
	return d
}

func TestStore(t *testing.T) {
	reporttest.Run(t, func(t *testing.T) reporttest.Site { return newSite(t) })
}

// TestStoreSharded: a router with two shards is a store as any other, and a full one is
// full whatever shard a case is for.
func TestStoreSharded(t *testing.T) {
	reporttest.Run(t, func(t *testing.T) reporttest.Site { return newShardedSite(t) })
}

// site is a database behind proxies that can lose its connections.
type site struct {
	*pgtest.Database
	proxies pgtest.Proxies
	open    *store
}

func newSite(t *testing.T) *site {
	d := newDatabase(t)
	return &site{Database: d, proxies: pgtest.Proxies{pgtest.NewProxy(t, d.Cluster())}}
}

func newShardedSite(t *testing.T) *site {
	d, proxies := pgtest.NewBehindProxies(t, 2, postgres.DutySchema, reports.Schema)
	return &site{Database: checked(t, d), proxies: proxies}
}

type store struct {
	*reports.Store
	db *postgres.DB
}

func (s *store) Close() error { return s.db.Close() }

func (s *site) Open() (reporttest.Store, error) {
	s.proxies.Disarm()
	db, err := postgres.Open(context.Background(), postgres.Config{URL: s.proxies.URL(s.Database), Timeout: time.Second}, postgres.DutySchema, reports.Schema)
	if err != nil {
		return nil, err
	}
	s.open = &store{reports.New(db), db}
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

var (
	upheld    = moderation.Outcome{State: moderation.Upheld, Weight: attester.Severe}
	dismissed = moderation.Outcome{State: moderation.Dismissed}
)

func caseOf(n int) *moderation.Case {
	return &moderation.Case{Day: uint32(n), Sealed: fmt.Append(nil, n)}
}

// TestLostAnswers: what is done while answers are lost is done once, and its caller
// hears so; who cannot know is told that.
func TestLostAnswers(t *testing.T) {
	s := newSite(t)
	st, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	cut := func(times int, f func() error) error {
		t.Helper()
		s.proxies.Arm(int(pgtest.BeforeAnswer), times)
		err := f()
		if n := s.proxies.Disarm(); n != times {
			t.Fatalf("%d of %d answers were lost", n, times)
		}
		return err
	}
	for n := range 3 {
		id := moderation.CaseID{byte(n)}
		add := func() error { return st.Add(t.Context(), id, caseOf(n), 1) }
		if err := cut(n, add); err != nil {
			t.Fatalf("add: %v", err)
		}
		if err := add(); !errors.Is(err, moderation.ErrKnown) {
			t.Fatalf("add again: %v", err)
		}
		if err := cut(1, add); !errors.Is(err, postgres.ErrAmbiguous) {
			t.Fatalf("add again, and the answer is lost: %v", err)
		}
		if waiting, err := st.Waiting(t.Context()); err != nil || waiting != 1 {
			t.Fatalf("%d wait, %v", waiting, err)
		}
		if err := cut(n, func() error { return st.Decide(t.Context(), id, upheld, []byte("verdict")) }); err != nil {
			t.Fatalf("decide: %v", err)
		}
		if err := cut(n, func() error { return st.Decide(t.Context(), id, dismissed, nil) }); !errors.Is(err, moderation.ErrDecided) {
			t.Fatalf("decide otherwise: %v", err)
		}
		if err := cut(n, func() error { return st.Sent(t.Context(), id) }); err != nil {
			t.Fatal(err)
		}
		if waiting, err := st.Waiting(t.Context()); err != nil || waiting != 0 {
			t.Fatalf("%d wait, %v", waiting, err)
		}
	}
}

// TestManyProcesses has several processes take the same reports and decide them,
// while sessions are killed: each report is kept once and decided one way, and no
// more are open than may be.
func TestManyProcesses(t *testing.T) {
	t.Run("one", func(t *testing.T) { testManyProcesses(t, newDatabase(t), 100*time.Millisecond, 0) })
	t.Run("sharded", func(t *testing.T) { testManyProcesses(t, newSharded(t), time.Second, 3*3) })
}

// testManyProcesses allows for what shards may take beyond the limit.
func testManyProcesses(t *testing.T, d *pgtest.Database, killed time.Duration, over int) {
	const cases, most = 40, 4
	stop := make(chan bool)
	var wg, killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(killed):
				if err := d.Exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	var added, unsure [cases]atomic.Int32
	var made [cases][2]atomic.Bool
	for p := range 3 {
		s := reports.New(d.Open(t))
		for w := range 3 {
			outcome, verdict := []moderation.Outcome{upheld, dismissed}[(p+w)%2], [][]byte{[]byte("verdict"), nil}[(p+w)%2]
			wg.Go(func() {
				for n := range cases {
					id := moderation.CaseID{byte(n)}
					for {
						err := s.Add(t.Context(), id, caseOf(n), most)
						if err == nil {
							added[n].Add(1)
						} else if errors.Is(err, postgres.ErrAmbiguous) {
							unsure[n].Add(1)
						} else if errors.Is(err, moderation.ErrFull) {
							time.Sleep(time.Millisecond)
							continue
						} else if !errors.Is(err, moderation.ErrKnown) {
							t.Error(err)
						}
						break
					}
					switch err := s.Decide(t.Context(), id, outcome, verdict); {
					case err == nil:
						made[n][(p+w)%2].Store(true)
					case errors.Is(err, postgres.ErrAmbiguous), errors.Is(err, moderation.ErrDecided):
					default:
						t.Error(err)
					}
					if waiting, err := s.Waiting(t.Context()); err != nil || waiting > most+over {
						t.Errorf("%d are open, %v", waiting, err)
					}
				}
			})
		}
	}
	wg.Wait()
	close(stop)
	killer.Wait()
	s := reports.New(d.Open(t))
	verdicts := 0
	for n := range cases {
		if a := added[n].Load(); a > 1 || a == 0 && unsure[n].Load() == 0 {
			t.Errorf("case %d was added %d times", n, a)
		}
		c, o, err := s.Look(t.Context(), moderation.CaseID{byte(n)})
		if err != nil || c != nil || made[n][0].Load() && o != upheld || made[n][1].Load() && o != dismissed {
			t.Errorf("case %d is %v, %v", n, o, err)
		}
		if o == upheld {
			verdicts++
		}
	}
	if list, _, err := s.Verdicts(t.Context(), moderation.CaseID{}); err != nil || len(list) != verdicts {
		t.Errorf("%d verdicts of %d upheld cases, %v", len(list), verdicts, err)
	}
	if waiting, err := s.Waiting(t.Context()); err != nil || waiting != 0 {
		t.Errorf("%d are open, %v", waiting, err)
	}
}

// TestLimitOverShards: the limit is of all shards together. What races for the last
// places can exceed it by no more than itself.
func TestLimitOverShards(t *testing.T) {
	const shards, most, racing = 4, 10, 8
	d := checked(t, pgtest.NewSharded(t, shards, postgres.DutySchema, reports.Schema))
	s := reports.New(d.Open(t))
	add := func(n int) error {
		return s.Add(t.Context(), moderation.CaseID{byte(n), byte(n >> 8)}, caseOf(n), most)
	}
	var wg sync.WaitGroup
	for w := range racing {
		wg.Go(func() {
			for n := range 4 {
				if err := add(racing*n + w); err != nil && !errors.Is(err, moderation.ErrFull) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	open := func() int {
		t.Helper()
		n, err := s.Waiting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := open(); n < most || n >= most+racing {
		t.Fatalf("%d are open of %d, with %d calls at a time", n, most, racing)
	}
	decide := func(left int) {
		t.Helper()
		list, _, err := s.OpenCases(t.Context(), moderation.CaseID{})
		for i := left; i < len(list) && err == nil; i++ {
			err = s.Decide(t.Context(), list[i].ID, dismissed, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	next := 4 * racing
	for _, left := range []int{0, 4, 9} {
		decide(left)
		for ; open() < most; next++ {
			if err := add(next); err != nil {
				t.Fatalf("of %d, %d: %v", most, open(), err)
			}
		}
		for shard := range shards { // its number is the lowest bits of a name
			if err := add(next + shard); !errors.Is(err, moderation.ErrFull) {
				t.Fatalf("one more, on shard %d: %v", (next+shard)%shards, err)
			}
		}
	}
}
