package queues_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/queues"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/powerloss"
)

// busy does at random all that can be done with a store, to few enough queues,
// payloads and pools that the steps meet.
type busy struct {
	store    *queues.Store
	rng      *rand.Rand
	day      qs.Day
	first    qs.Day           // none of the payloads that are put ends before it
	payloads []wire.PayloadID // that it put; each has a name of its own
}

// refused are the errors that a step at random may get.
var refused = []error{qs.ErrNotFound, qs.ErrLimit, qs.ErrBatch, qs.ErrExhausted}

func (b *busy) step(ctx context.Context) error {
	err := b.do(ctx)
	for _, expected := range refused {
		if errors.Is(err, expected) {
			return nil
		}
	}
	return err
}

func (b *busy) settings() wire.QueueSettings {
	return wire.QueueSettings{Version: b.rng.Uint64N(1 << 20), MaxEntries: 1 + b.rng.Uint32N(50), MaxBytes: 1000 + b.rng.Uint64N(20_000),
		TTLDays: uint16(1 + b.rng.IntN(5)), Overflow: wire.Overflow(b.rng.IntN(2)), Push: make([]byte, b.rng.IntN(2))}
}

func (b *busy) entries(n int) []qs.Append {
	entries := make([]qs.Append, n)
	for i := range entries {
		entries[i] = qs.Append{Queue: wire.QueueID{byte(b.rng.IntN(12))}, Mark: qs.Mark{byte(b.rng.IntN(30)), 1}, Number: b.rng.Uint64(),
			Brief: b.rng.IntN(4) == 0, Segment: wire.SegmentID{byte(b.rng.IntN(3))}, KEMOutput: make([]byte, 32), Ciphertext: make([]byte, b.rng.IntN(300))}
	}
	return entries
}

func (b *busy) do(ctx context.Context) error {
	queue, pool, n := wire.QueueID{byte(b.rng.IntN(12))}, wire.PoolID{byte(b.rng.IntN(4))}, b.rng.IntN(100)
	if b.rng.IntN(200) == 0 {
		b.day++
	}
	switch {
	case n < 8:
		_, err := b.store.CreateQueue(ctx, queue, b.day, qs.Queue{SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)}, Settings: b.settings()})
		return err
	case n < 10:
		_, err := b.store.ConfigureQueue(ctx, queue, b.settings())
		return err
	case n < 50:
		_, err := b.store.Append(ctx, b.day, b.entries(1+b.rng.IntN(20)))
		return err
	case n < 60:
		page, err := b.store.ReadQueue(ctx, queue, b.day, 0, 1+b.rng.IntN(40))
		if err != nil || len(page.Entries) == 0 {
			return err
		}
		return b.store.AckQueue(ctx, queue, b.day, page.Entries[len(page.Entries)-1].Seq)
	case n < 64:
		return b.store.Revoke(ctx, queue, b.day, qs.Mark{byte(b.rng.IntN(30)), 1})
	case n < 66:
		return b.store.DeleteQueue(ctx, queue)
	case n < 72:
		var id wire.PayloadID
		binary.BigEndian.PutUint32(id[:], uint32(b.first)+b.rng.Uint32N(3))
		binary.BigEndian.PutUint64(id[8:], b.rng.Uint64())
		b.payloads = append(b.payloads, id)
		if b.rng.IntN(2) == 0 {
			_, err := b.store.AppendPayload(ctx, b.day, id, make([]byte, 1+b.rng.IntN(300<<10)), 4, b.entries(b.rng.IntN(20)))
			return err
		}
		return b.store.PutPayload(ctx, id, make([]byte, 1+b.rng.IntN(600<<10)), 1+b.rng.IntN(4))
	case n < 78 && len(b.payloads) > 0:
		payload := b.payloads[max(0, len(b.payloads)-1-b.rng.IntN(4))]
		return b.store.Release(ctx, payload, []uint16{uint16(b.rng.IntN(4)), uint16(b.rng.IntN(4))})
	case n < 86:
		part := qs.Part{Kind: wire.PoolConnection, Batch: 1 + uint64(b.day)*4 + b.rng.Uint64N(4), Last: b.rng.IntN(2) == 0}
		for range b.rng.IntN(10) {
			part.KeyPackages = append(part.KeyPackages, qs.KeyPackage{Encoded: make([]byte, 200), LastDay: b.day + qs.Day(b.rng.IntN(3))})
		}
		if n := len(part.KeyPackages); n > 0 && b.rng.IntN(2) == 0 {
			part.KeyPackages[n-1].LastResort = true
		}
		_, err := b.store.Publish(ctx, pool, part)
		return err
	case n < 89:
		return b.store.Allow(ctx, pool, wire.ContactHash{byte(b.rng.IntN(9))}, b.rng.IntN(2) == 0)
	case n < 98:
		_, err := b.store.Take(ctx, pool, b.day, qs.Claim{Kind: wire.PoolConnection, Request: [32]byte{byte(b.rng.IntN(256))}})
		return err
	case n < 99:
		return b.store.DeletePool(ctx, pool)
	}
	return b.store.Expire(ctx, qs.Expiry{Queues: b.day - 6, Entries: b.day, Marks: b.day - 4, Payloads: b.first, Claims: b.day - 2})
}

// runBusy takes steps in several goroutines until ctx ends or all have taken so
// many.
func runBusy(ctx context.Context, store *queues.Store, seed uint64, steps int, after func()) error {
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			b := &busy{store: store, rng: rand.New(rand.NewPCG(seed, uint64(w))), day: qs.Day(100 + seed), first: qs.Day(100 + seed)}
			for range steps {
				if errs[w] = b.step(ctx); errs[w] != nil {
					return
				}
				after()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// TestCheckAfterBusyRun: a store to which much happened at once is clean, and has
// something of every kind left to be checked, sooner or later.
func TestCheckAfterBusyRun(t *testing.T) {
	s := newSite(t)
	var missing []string
	for seed := range uint64(10) {
		open, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := runBusy(t.Context(), open.(store).Store, seed, 100, func() {}); err != nil {
			t.Fatal(err)
		}
		if err := open.Close(); err != nil { // which checks it
			t.Fatal(err)
		}
		records := map[string]uint64{}
		for _, tally := range fsck(t, s.Dir(), nil).Tallies {
			records[tally.Kind] = tally.Records
		}
		missing = nil
		for _, kind := range []string{"queue", "head", "page of entries", "segment", "mark", "payload chunk", "payload references", "pool", "KeyPackage", "contact", "claim"} {
			if records[kind] == 0 {
				missing = append(missing, kind)
			}
		}
		if seed > 0 && len(missing) == 0 {
			return
		}
	}
	t.Errorf("nothing is left to be checked of %q", missing)
}

// busyEnv makes the test binary a process that is to be killed, with a seed and
// the directory of its store.
const busyEnv = "QUEUES_BUSY"

// TestCheckAfterKillNine kills a busy process again and again: each time the
// store that it leaves is clean, but for what deletions have left.
func TestCheckAfterKillNine(t *testing.T) {
	if args := os.Getenv(busyEnv); args != "" {
		busyChild(t, args)
	}
	dir := filepath.Join(t.TempDir(), "db")
	var leftover uint64
	rounds := storagetest.KillRounds(t)
	for round := range rounds {
		storagetest.RunKilled(t, "TestCheckAfterKillNine", fmt.Sprintf("%s=%d %s", busyEnv, round, dir), 100+37*(round%10))
		for _, tally := range fsck(t, dir, nil).Tallies {
			leftover += tally.Leftover
		}
	}
	t.Logf("%d rounds, %d records left over by deletions", rounds, leftover)
}

// TestCheckAfterPowerLoss takes the power from the disk of a busy process: what is
// left is clean each time.
func TestCheckAfterPowerLoss(t *testing.T) {
	if args := os.Getenv(busyEnv); args != "" {
		busyChild(t, args)
	}
	for range powerloss.Disks(t) {
		t.Run("disk", cutBusy)
	}
}

func cutBusy(t *testing.T) {
	disk := powerloss.Mount(t, powerloss.Config{Size: 256 << 20})
	w := powerloss.Start(t, "TestCheckAfterPowerLoss", fmt.Sprintf("%s=%d %s", busyEnv, 1, filepath.Join(disk.Dir(), "db")))
	for end := time.Now().Add(time.Minute); len(w.Acknowledged()) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for _, survive := range []float64{0, 0.5} {
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		err := disk.Cut(survive, func(dir string) error {
			fsck(t, filepath.Join(dir, "db"), nil)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if w.Ended() || len(w.Acknowledged()) == 0 {
		t.Fatalf("the writer ended after %d steps", len(w.Acknowledged()))
	}
	t.Logf("%d steps", len(w.Acknowledged()))
}

func busyChild(t *testing.T, args string) {
	var seed uint64
	var dir string
	if _, err := fmt.Sscan(args, &seed, &dir); err != nil {
		t.Fatal(err)
	}
	db, err := badger.Open(badger.Config{Dir: dir, Format: queues.Format, MinFree: 1, Journal: 64 << 10 << (seed % 3 * 4)})
	if err != nil {
		t.Fatal(err)
	}
	store, err := queues.New(context.Background(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(runBusy(context.Background(), store, seed, math.MaxInt, func() { fmt.Println("step") }))
}
