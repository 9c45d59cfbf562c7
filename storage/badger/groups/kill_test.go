package groups_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/powerloss"
)

// busyStep commits to, or delivers a message of, one of a few groups.
func busyStep(ctx context.Context, s *groups.Store, rng *rand.Rand) error {
	group := wire.GroupID{byte(rng.IntN(6))}
	if rng.IntN(3) == 0 {
		lane := ds.Lane{byte(rng.IntN(3))}
		first, err := s.First(ctx, group, lane)
		if err == nil && first > 0 {
			_, err = s.Done(ctx, group, lane, first)
		}
		return err
	}
	snapshot, err := s.Read(ctx, group, nil)
	if err != nil {
		return err
	}
	b := &ds.Batch{Base: snapshot.Version}
	for n := range byte(50) {
		switch rng.IntN(5) {
		case 0:
			b.Puts = append(b.Puts, ds.Record{Key: []byte{'a', n}, Value: make([]byte, rng.IntN(500))})
		case 1:
			b.Deletes = append(b.Deletes, []byte{'a', n})
		}
	}
	for lane := range byte(3) {
		if rng.IntN(2) == 0 {
			m := ds.Message{Lane: ds.Lane{lane}}
			for range 1 + rng.IntN(3) {
				m.Parts = append(m.Parts, make([]byte, 1+rng.IntN(100<<10)))
			}
			b.Messages = append(b.Messages, m)
		}
	}
	if err := s.Commit(ctx, group, b); !errors.Is(err, ds.ErrConflict) {
		return err
	}
	return nil
}

// runBusy takes steps in several goroutines, and prints a line before each.
func runBusy(ctx context.Context, s *groups.Store, seed uint64) error {
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			for errs[w] == nil {
				fmt.Println("step")
				errs[w] = busyStep(ctx, s, rng)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// busyEnv makes the test binary a process that is to be killed, with a seed and
// the directory of its store.
const busyEnv = "GROUPS_BUSY"

// TestCheckAfterKillNine kills a busy process again and again: the store that it
// leaves is clean.
func TestCheckAfterKillNine(t *testing.T) {
	if args := os.Getenv(busyEnv); args != "" {
		busyChild(t, args)
	}
	dir := filepath.Join(t.TempDir(), "db")
	rounds := storagetest.KillRounds(t)
	for round := range rounds {
		storagetest.RunKilled(t, "TestCheckAfterKillNine", fmt.Sprintf("%s=%d %s", busyEnv, round, dir), 50+17*(round%10))
		if tallies := fsck(t, dir, nil).Tallies; tallies[0].Records == 0 || tallies[1].Records == 0 {
			t.Fatalf("round %d: nothing to check in %+v", round, tallies)
		}
	}
	t.Logf("%d rounds", rounds)
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
	db, err := badger.Open(badger.Config{Dir: dir, Format: groups.Format, MinFree: 1, Journal: 64 << 10 << (seed % 3 * 4)})
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(runBusy(context.Background(), groups.New(db), seed))
}
