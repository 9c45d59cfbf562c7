package bench

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// replica is a process of both services on a database that others use too.
type replica struct {
	*site
	proxy *pgtest.Proxy
	end   func()
}

func newReplica(t *testing.T, d *pgtest.Database, dir string) *replica {
	t.Helper()
	p := pgtest.NewProxy(t, d.Cluster())
	s := &site{}
	open := func(schema postgres.Schema) *postgres.DB {
		db, err := postgres.Open(t.Context(), postgres.Config{URL: p.URL(d)}, schema)
		if err != nil {
			t.Fatal(err)
		}
		s.dbs = append(s.dbs, io.Closer(db))
		return db
	}
	groupDB, queueDB := open(groups.Schema), open(queues.Schema)
	store, err := queues.New(queueDB, secret.New(make([]byte, queues.WakeKeySize)))
	if err == nil {
		err = s.serve(dir, groups.New(groupDB), store)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { s.qs.Watch(ctx) })
	return &replica{s, p, sync.OnceFunc(func() {
		cancel()
		watching.Wait()
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})}
}

// kill takes the database away first, so that nothing is left in order.
func (r *replica) kill() {
	r.proxy.Arm(pgtest.BeforeStatement, -1)
	r.end()
}

// fleet is the replicas that run.
type fleet struct {
	// mu guards what follows.
	mu  sync.Mutex
	all []*replica
}

func (f *fleet) any() *replica {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[rand.IntN(len(f.all))]
}

// replace puts a new replica in one's place and returns the old one.
func (f *fleet) replace(i int, r *replica) *replica {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.all[i]
	f.all[i] = r
	return old
}

// TestReplicas: with two processes on one database, one of which is killed and
// replaced again and again, clients that retry lose nothing and get nothing twice,
// in the order of each group, and a reader is woken by what comes through the other
// process. A router with two shards is a database as any other.
func TestReplicas(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute for each: leases must run out")
	}
	pgtest.Both(t, testReplicas, groups.Schema, queues.Schema)
}

func testReplicas(t *testing.T, d *pgtest.Database) {
	const groupCount, members, messages, kills = 3, 4, 60, 3
	dir := t.TempDir()
	f := &fleet{all: []*replica{newReplica(t, d, dir), newReplica(t, d, dir)}}
	defer func() {
		for _, r := range f.all {
			r.end()
		}
	}()
	crowds, err := f.all[0].newCrowds(groupCount, members)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var readers []*member
	for _, c := range crowds {
		for _, o := range c.owners {
			l := &listener{owner: o, site: f.all[1].site, reader: seal.NewReader(o.segment, o.queue)}
			if err := l.skip(ctx); err != nil {
				t.Fatal(err)
			}
			readers = append(readers, &member{listener: l, fleet: f})
		}
	}
	time.Sleep(3 * time.Second) // the processes find each other

	// A reader at one process is woken by a message through the other, soon; one that is
	// not woken gets nothing. The machine may stall, but not each time.
	quickest := time.Minute
	for n := range 3 {
		message, err := crowds[0].message(0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() { got <- readers[1].receive(ctx, f.all[1], time.Minute) }()
		time.Sleep(300 * time.Millisecond)
		start := time.Now()
		if err := f.all[0].call(message, new(wire.Accepted)); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		if len(readers[1].got) != n+1 {
			t.Fatal("not woken")
		}
		quickest = min(quickest, time.Since(start))
	}
	if quickest > 2*time.Second {
		t.Errorf("woken after %v at best", quickest)
	}
	const before = 3

	var wg sync.WaitGroup
	var accepted atomic.Int64
	for _, c := range crowds {
		wg.Go(func() {
			for range messages {
				message, err := c.message(0, rand.IntN(2000))
				if err != nil {
					t.Error(err)
					return
				}
				for f.any().call(message, new(wire.Accepted)) != nil {
					if ctx.Err() != nil {
						t.Error("a message was not accepted in time")
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
				accepted.Add(1)
				time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
			}
		})
	}
	for i, m := range readers {
		want := messages
		if i < members {
			want += before
		}
		wg.Go(func() {
			for len(m.got) < want {
				if ctx.Err() != nil {
					t.Errorf("a member got %d messages of %d", len(m.got), want)
					return
				}
				if m.receive(ctx, f.any(), 5*time.Second) != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	for i := range kills {
		time.Sleep(3 * time.Second)
		f.replace(i%2, newReplica(t, d, dir)).kill()
	}
	wg.Wait()
	for _, m := range readers {
		for i, seq := range m.got {
			if seq != m.got[0]+uint64(i) {
				t.Fatalf("a member got %v", m.got)
			}
		}
	}
	if n := accepted.Load(); n != groupCount*messages {
		t.Errorf("%d messages were accepted", n)
	}
	// Nothing more comes.
	time.Sleep(time.Second)
	for _, m := range readers {
		if page, err := f.any().qs.Read(ctx, m.queue, m.after, 0, 0); err != nil || len(page.Entries) > 0 {
			t.Errorf("%v more entries, %v", page, err)
		}
	}
}

// member reads its queue at whichever process there is.
type member struct {
	*listener
	fleet *fleet
	got   []uint64 // sequence numbers in the group
}

// receive waits for entries at one process, opens and acknowledges them.
func (m *member) receive(ctx context.Context, r *replica, wait time.Duration) error {
	page, err := r.qs.Read(ctx, m.queue, m.after, 0, wait)
	if err != nil {
		return err
	}
	for _, o := range m.reader.Open(page) {
		if o.Err != nil {
			return o.Err
		}
		entry, err := seal.OpenEntry(seal.DeliverySecret{Bytes: m.secret}, &o.Item.Entry)
		if err != nil {
			return err
		}
		payload, tickets := o.Item.Inline, []wire.Ticket(nil)
		if o.Item.Ticket != nil {
			tickets = append(tickets, *o.Item.Ticket)
			fetched, err := m.fleet.any().qs.Fetch(ctx, tickets)
			if err != nil {
				return err
			}
			payload = fetched[0]
		}
		if _, err := seal.OpenPayload(entry.PayloadKey, payload); err != nil {
			return errors.Join(errors.New("a payload is gone"), err)
		}
		m.after, m.got = o.Seq, append(m.got, entry.Sequence)
		_ = m.fleet.any().qs.Ack(ctx, m.queue, o.Seq, tickets) // the next one comes after it
	}
	return nil
}
