package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func testKey(t testing.TB, fill byte) tokens.NullifierKey {
	t.Helper()
	b := make([]byte, tokens.NullifierKeySize)
	b[0] = fill
	key, err := tokens.NewNullifierKey(secret.New(b))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// site is a database behind proxies that can lose its connections, and a fence.
type site struct {
	*pgtest.Database
	t       *testing.T
	proxies pgtest.Proxies
	fence   string
	open    *opened
}

func newSite(t *testing.T) *site {
	d := pgtest.New(t, postgres.FenceSchema, ledger.Schema)
	d.Check(t, ledger.Checks)
	return &site{Database: d, t: t, proxies: pgtest.Proxies{pgtest.NewProxy(t, d.Cluster())}, fence: filepath.Join(t.TempDir(), "fence")}
}

func newShardedSite(t *testing.T) *site {
	d, proxies := pgtest.NewBehindProxies(t, 2, postgres.FenceSchema, ledger.Schema)
	d.Check(t, ledger.Checks)
	return &site{Database: d, t: t, proxies: proxies, fence: filepath.Join(t.TempDir(), "fence")}
}

// opened is a ledger with its database.
type opened struct {
	*ledger.Ledger
	db *postgres.DB
}

func (o *opened) Close() error { return errors.Join(o.Ledger.Close(), o.db.Close()) }

func (s *site) open1(fence string, join bool, key tokens.NullifierKey) (*opened, error) {
	ctx := context.Background()
	db, err := postgres.Open(ctx, postgres.Config{URL: s.proxies.URL(s.Database), Timeout: time.Second}, postgres.FenceSchema, ledger.Schema)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(ctx, ledger.Config{DB: db, Fence: fence, Join: join, Key: key})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &opened{l, db}, nil
}

func (s *site) Open() (storagetest.Ledger, error) {
	s.proxies.Disarm()
	o, err := s.open1(s.fence, false, testKey(s.t, 1))
	if err != nil {
		return nil, err
	}
	s.open = o
	return o, nil
}

// Crash crashes the server under the open ledger.
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

func TestINV04Conformance(t *testing.T) {
	storagetest.TestLedger(t, func(t *testing.T) storagetest.LedgerSite { return newSite(t) })
}

func TestINV04ConformanceSharded(t *testing.T) {
	storagetest.TestLedger(t, func(t *testing.T) storagetest.LedgerSite { return newShardedSite(t) })
}

// TestWrongKeyIsRefused: under another key every spent token would be fresh.
func TestWrongKeyIsRefused(t *testing.T) {
	s := newSite(t)
	o, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	o.Close()
	if _, err := s.open1(s.fence, false, testKey(t, 2)); !errors.Is(err, tokens.ErrNullifierKey) {
		t.Fatalf("another key: %v", err)
	}
}

// TestINV04LostAnswers: a token whose answer is lost on the way is bound to its
// request, and the caller hears so.
func TestINV04LostAnswers(t *testing.T) {
	s := newSite(t)
	o, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	m := storagetest.NewMint("e")
	s.proxies.Arm(int(pgtest.BeforeAnswer), 1)
	if err := o.OpenEpoch(t.Context(), m.Epoch(100)); err != nil || s.proxies.Disarm() != 1 {
		t.Fatal(err)
	}
	for times := range 4 {
		token := m.Token()
		s.proxies.Arm(int(pgtest.BeforeAnswer), times)
		outcome, err := o.Spend(t.Context(), token, storagetest.Digest("a"))
		if err != nil || times == 0 && outcome != tokens.Fresh || s.proxies.Disarm() != times {
			t.Fatalf("%d answers lost: outcome %d, %v", times, outcome, err)
		}
		if _, err := o.Spend(t.Context(), token, storagetest.Digest("b")); !errors.Is(err, tokens.ErrDoubleSpend) {
			t.Fatalf("%d answers lost, another request: %v", times, err)
		}
	}
	if u, err := o.Usage(t.Context(), m.KeyID()); err != nil || u.Spent != 4 {
		t.Fatalf("usage %+v, %v", u, err)
	}
	s.proxies.Arm(int(pgtest.BeforeAnswer), 1)
	if err := o.RetireEpoch(t.Context(), m.KeyID()); err != nil || s.proxies.Disarm() != 1 {
		t.Fatal(err)
	}
}

// TestINV04ManyProcesses lets ledgers of several processes race for the same
// tokens while sessions are killed: each token is bound to one request, and
// counted once.
func TestINV04ManyProcesses(t *testing.T) {
	t.Run("one", func(t *testing.T) { testManyProcesses(t, newSite(t), 200*time.Millisecond) })
	t.Run("sharded", func(t *testing.T) { testManyProcesses(t, newShardedSite(t), time.Second) })
}

func testManyProcesses(t *testing.T, s *site, killed time.Duration) {
	var all []*opened
	for i := range 3 {
		o, err := s.open1(filepath.Join(t.TempDir(), fmt.Sprint("fence", i)), i > 0, testKey(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		all = append(all, o)
	}
	m := storagetest.NewMint("e")
	if err := all[0].OpenEpoch(t.Context(), m.Epoch(1000)); err != nil {
		t.Fatal(err)
	}
	stop := make(chan bool)
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(killed):
				if err := s.Exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	const n = 60
	var bound [n]atomic.Int32 // the request that a token was accepted for, plus 1
	var wg sync.WaitGroup
	for p, o := range all {
		for w := range 4 {
			wg.Go(func() {
				request := p*4 + w
				for i := range uint64(n) {
					_, err := o.Spend(t.Context(), m.Nth(i), storagetest.Digest(request))
					switch {
					case err == nil:
						if !bound[i].CompareAndSwap(0, int32(request+1)) {
							t.Errorf("token %d was accepted for %d and %d", i, bound[i].Load()-1, request)
						}
					case !errors.Is(err, tokens.ErrDoubleSpend) && !errors.Is(err, tokens.ErrUnavailable):
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	close(stop)
	killer.Wait()
	if u, err := all[1].Usage(t.Context(), m.KeyID()); err != nil || u.Spent != n {
		t.Fatalf("usage %+v, %v", u, err)
	}
	if err := all[2].RetireEpoch(t.Context(), m.KeyID()); err != nil {
		t.Fatal(err)
	}
	if _, err := all[0].Spend(t.Context(), m.Nth(n+1), storagetest.Digest("a")); !errors.Is(err, tokens.ErrEpochRetired) {
		t.Fatalf("retired by another process: %v", err)
	}
}

// TestFences: a process without a fence is refused where the database has been
// used, unless it is said to be a new one; each older copy is counted once, however
// often the process is started.
func TestFences(t *testing.T) {
	s := newSite(t)
	db := s.Database.Open(t)
	cfg := ledger.Config{DB: db, Fence: s.fence, Key: testKey(t, 1)}
	open := func(restores int) *ledger.Ledger {
		t.Helper()
		l, err := ledger.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if l.Restores() != restores {
			t.Fatalf("%d restores, want %d", l.Restores(), restores)
		}
		return l
	}
	open(0).Close()
	restore, err := s.Copy()
	if err != nil {
		t.Fatal(err)
	}
	l := open(0)
	if err := l.OpenEpoch(t.Context(), storagetest.NewMint("e").Epoch(1)); err != nil {
		t.Fatal(err)
	}
	l.Close()
	for round := range 2 {
		if err := restore(); err != nil {
			t.Fatal(err)
		}
		open(round + 1).Close()
		open(round + 1).Close()
	}
	cfg.Fence += " of another process"
	if _, err := ledger.Open(t.Context(), cfg); !errors.Is(err, postgres.ErrFence) {
		t.Fatalf("a used database without a fence: %v", err)
	}
	cfg.Join = true
	open(2).Close()
}
