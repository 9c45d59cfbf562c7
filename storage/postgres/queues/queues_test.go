package queues_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
)

var wakeKey = secret.New(make([]byte, queues.WakeKeySize))

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestStore(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Site { return newSite(t) })
}

// TestStoreSharded: a router with two shards is a store as any other.
func TestStoreSharded(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Site { return newShardedSite(t) })
}

// TestStoreOverBadConnections: with connections that end all the time, before a
// statement arrives or before it is answered, everything is as it is with good
// ones.
func TestStoreOverBadConnections(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Site {
		return reliable{newSite(t)}
	})
}

// TestShardedOverBadConnections: the same with a router, whose connections to one of
// its shards end too.
func TestShardedOverBadConnections(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Site {
		return reliable{newShardedSite(t)}
	})
}

// reliable is a site without faults that a store would show.
type reliable struct{ *site }

func (reliable) Steps() int { return 0 }

// Open opens the store, and has connections end from then on.
func (r reliable) Open() (queuetest.Store, error) {
	s, err := r.openWithin(time.Minute)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.open.stop = cancel
	go func() {
		for ctx.Err() == nil {
			r.proxies.Arm(rand.IntN(r.proxies.Steps()), 1)
			time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond)
		}
	}()
	return s, nil
}

// site is a database, with proxies that can lose its connections.
type site struct {
	db      *pgtest.Database
	proxies pgtest.Proxies
	open    *store
}

type store struct {
	*queues.Store
	db   *postgres.DB
	stop func()
}

func (s *store) Close() error {
	s.stop()
	return s.db.Close()
}

func newSite(t *testing.T) *site {
	d := pgtest.New(t, queues.Schema)
	d.Check(t, queues.Checks)
	return &site{db: d, proxies: pgtest.Proxies{pgtest.NewProxy(t, d.Cluster())}}
}

func newShardedSite(t *testing.T) *site {
	d, proxies := pgtest.NewBehindProxies(t, 2, queues.Schema)
	d.Check(t, queues.Checks)
	return &site{db: d, proxies: proxies}
}

func (s *site) openWithin(timeout time.Duration) (queuetest.Store, error) {
	s.proxies.Disarm()
	db, err := postgres.Open(context.Background(), postgres.Config{URL: s.proxies.URL(s.db), Timeout: timeout}, queues.Schema)
	if err != nil {
		return nil, err
	}
	q, err := queues.New(db, secret.Bytes{})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.open = &store{q, db, func() {}}
	return s.open, nil
}

// Open opens a store that soon gives up, as its faults stay.
func (s *site) Open() (queuetest.Store, error) {
	return s.openWithin(time.Second)
}

// Crash crashes the server.
func (s *site) Crash() error {
	if err := s.open.Close(); err != nil {
		return err
	}
	return s.db.Crash()
}

// Steps are those at which a connection is lost: each test of one waits for what
// does not answer, so that the short form leaves them out.
func (s *site) Steps() int {
	if testing.Short() {
		return 0
	}
	return s.proxies.Steps()
}

// Fail has no statement arrive, or none answered, from now on.
func (s *site) Fail(step int) { s.proxies.Arm(step, -1) }

// TestTwoProcesses: what several processes do to the same queues and pools at
// once is in one order, comes in once, and leaves once.
func TestTwoProcesses(t *testing.T) { pgtest.Both(t, testTwoProcesses, queues.Schema) }

func testTwoProcesses(t *testing.T, d *pgtest.Database) {
	const processes, marks, messages, queueCount = 3, 4, 40, 8
	ctx := t.Context()
	var stores []*queues.Store
	for range processes {
		s, err := queues.New(d.Open(t), wakeKey)
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	ids := make([]wire.QueueID, queueCount)
	for i := range ids {
		ids[i] = wire.QueueID{byte(i + 1)}
		q := qs.Queue{SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)},
			Settings: wire.QueueSettings{Version: 1, MaxEntries: 1 << 20, MaxBytes: 1 << 30, TTLDays: 9}}
		if _, err := stores[i%processes].CreateQueue(ctx, ids[i], 1, q); err != nil {
			t.Fatal(err)
		}
	}
	var fresh atomic.Int64
	var wg sync.WaitGroup
	for p, s := range stores {
		for m := range marks {
			wg.Go(func() {
				for n := range uint64(messages) {
					var batch []qs.Append
					for _, i := range rand.Perm(queueCount) { // the driver orders them
						batch = append(batch, qs.Append{Queue: ids[i], Mark: qs.Mark{byte(m)}, Number: n + 1, Segment: wire.SegmentID{byte(p)},
							KEMOutput: []byte{byte(p)}, Counter: uint32(n), Ciphertext: []byte{byte(m), byte(n)}})
					}
					out, err := s.Append(ctx, 1, batch)
					if err != nil {
						t.Error(err)
						return
					}
					for _, o := range out {
						if o.Outcome != wire.Delivered {
							t.Errorf("outcome %d", o.Outcome)
						}
						if o.Fresh {
							fresh.Add(1)
						}
					}
				}
			})
		}
	}
	// Readers see the numbers without a gap while entries arrive, from whichever
	// process, and each mark's messages in order to the last.
	for i, id := range ids {
		wg.Go(func() {
			var last uint64
			var newest [marks]byte
			for newest != [marks]byte{messages, messages, messages, messages} {
				page, err := stores[i%processes].ReadQueue(ctx, id, 1, last, 7)
				if err != nil {
					t.Error(err)
					return
				}
				for k, e := range page.Entries {
					m, n := e.Ciphertext[0], e.Ciphertext[1]+1
					if e.Seq != last+1 || n <= newest[m] || k == 0 && page.Segments[0].Start != e.Segment {
						t.Errorf("entry %d after %d, message %d after %d, segment %d of %+v", e.Seq, last, n, newest[m], e.Segment, page.Segments)
						return
					}
					last, newest[m] = e.Seq, n
				}
			}
			fresh.Add(-int64(last))
		})
	}
	wg.Wait()
	if n := fresh.Load(); n != 0 {
		t.Errorf("%d more fresh entries than there are in queues", n)
	}
}

// TestTakesOfProcesses: of what is in the pools, what several processes hand out at
// once goes out once, and whoever asks again gets the same.
func TestTakesOfProcesses(t *testing.T) { pgtest.Both(t, testTakesOfProcesses, queues.Schema) }

func testTakesOfProcesses(t *testing.T, d *pgtest.Database) {
	const processes, pools, each = 3, 4, 30
	ctx := t.Context()
	var stores []*queues.Store
	for range processes {
		s, err := queues.New(d.Open(t), wakeKey)
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	for pool := range byte(pools) {
		part := qs.Part{Key: [32]byte{1}, Kind: wire.PoolGroup, Batch: 1, Last: true}
		for n := range byte(each) {
			part.KeyPackages = append(part.KeyPackages, qs.KeyPackage{Encoded: []byte{pool, n}, LastDay: 9})
		}
		if _, err := stores[0].Publish(ctx, wire.PoolID{pool}, part); err != nil {
			t.Fatal(err)
		}
		if err := stores[0].Allow(ctx, wire.PoolID{pool}, wire.ContactHash{1}, true); err != nil {
			t.Fatal(err)
		}
	}
	var taken [pools][each]atomic.Int32
	var wg sync.WaitGroup
	for p, s := range stores {
		for pool := range byte(pools) {
			wg.Go(func() {
				for n := range byte(each / processes) {
					claim := qs.Claim{Kind: wire.PoolGroup, Contact: &wire.ContactHash{1}, Request: [32]byte{byte(p), n}}
					got, err := s.Take(ctx, wire.PoolID{pool}, 1, claim)
					if err != nil || got[0] != pool {
						t.Errorf("%x, %v", got, err)
						return
					}
					taken[pool][got[1]].Add(1)
					if again, err := stores[(p+1)%processes].Take(ctx, wire.PoolID{pool}, 1, claim); err != nil || string(again) != string(got) {
						t.Errorf("%x again is %x, %v", got, again, err)
					}
				}
			})
		}
	}
	wg.Wait()
	for pool := range taken {
		for n := range taken[pool] {
			if times := taken[pool][n].Load(); times != 1 {
				t.Errorf("KeyPackage %d of pool %d went out %d times", n, pool, times)
			}
		}
	}
}

// TestLostAnswerOfOvertaken: a call whose answers are lost while another process
// adds the next entry by the same mark says in the end that it added its own.
func TestLostAnswerOfOvertaken(t *testing.T) {
	s := newSite(t)
	opened, err := s.openWithin(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	other, err := queues.New(s.db.Open(t), wakeKey)
	if err != nil {
		t.Fatal(err)
	}
	id := wire.QueueID{1}
	q := qs.Queue{Settings: wire.QueueSettings{Version: 1, MaxEntries: 1 << 20, MaxBytes: 1 << 30, TTLDays: 9}}
	if _, err := other.CreateQueue(t.Context(), id, 1, q); err != nil {
		t.Fatal(err)
	}
	entry := func(n uint64) []qs.Append {
		return []qs.Append{{Queue: id, Number: n, Ciphertext: []byte{byte(n)}}}
	}
	if out, err := other.Append(t.Context(), 1, entry(1)); err != nil || !out[0].Fresh { // makes the mark known
		t.Fatal(out, err)
	}
	for round := range uint64(3) {
		n := 10*round + 10
		s.proxies.Arm(int(pgtest.BeforeAnswer), -1)
		answer := make(chan qs.Appended)
		go func() {
			out, err := opened.Append(context.Background(), 1, entry(n))
			if err != nil {
				t.Error(err)
				out = make([]qs.Appended, 1)
			}
			answer <- out[0]
		}()
		for {
			page, err := other.ReadQueue(t.Context(), id, 1, 2*round+1, 9)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Entries) > 0 {
				break
			}
		}
		if out, err := other.Append(t.Context(), 1, entry(n+1)); err != nil || !out[0].Fresh {
			t.Fatal(out, err)
		}
		if out, err := other.Append(t.Context(), 1, entry(n)); err != nil || out[0].Fresh {
			t.Fatal("another's call is told that it added the entry", out, err)
		}
		if s.proxies.Disarm() == 0 {
			t.Fatal("no answer was lost")
		}
		if got := <-answer; got.Outcome != wire.Delivered || !got.Fresh {
			t.Fatalf("round %d: %+v", round, got)
		}
	}
	if page, err := other.ReadQueue(t.Context(), id, 1, 0, 99); err != nil || len(page.Entries) != 7 {
		t.Fatalf("%+v, %v", page, err)
	}
}
