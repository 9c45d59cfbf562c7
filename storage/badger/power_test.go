package badger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest/powerloss"
)

// powerEnv makes the test binary a writer on the disk that is mounted there.
const powerEnv = "BADGER_POWER"

const powerWriters, powerSlots = 16, 20

func powerConfig(dir string) badger.Config {
	return badger.Config{Dir: filepath.Join(dir, "db"), Fence: filepath.Join(dir, "fence"), Format: format, MinFree: 1, Journal: 256 << 10}
}

func powerKey(writer, slot int) []byte { return fmt.Appendf(nil, "w%d.%d", writer, slot) }

// powerValue is the value of a writer's nth write, which begins with n.
func powerValue(writer, n int) string {
	rng := rand.New(rand.NewPCG(uint64(writer), uint64(n)))
	return fmt.Sprint(n, " ", strings.Repeat(fmt.Sprint(rng.Uint64()), 1+rng.IntN(100)))
}

// powerWriter overwrites records from many goroutines, and drops others, with a
// journal that is full several times a second. It prints what is answered.
func powerWriter(t *testing.T, dir string) {
	db, err := badger.Open(powerConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range powerWriters {
		wg.Go(func() {
			for n := 1; ; n++ {
				err := db.Submit(context.Background(), func(tx *badger.Tx) error {
					tx.Put(powerKey(w, n%powerSlots), []byte(powerValue(w, n)))
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Println("wrote", w, n)
			}
		})
	}
	wg.Go(func() {
		for n := 1; ; n++ {
			prefix := fmt.Sprintf("d%d.", n)
			for i := range 10 {
				if err := put(db, prefix+strconv.Itoa(i), "dropped"); err != nil {
					t.Error(err)
					return
				}
			}
			time.Sleep(100 * time.Millisecond)
			if err := db.DropPrefix(context.Background(), []byte(prefix)); err != nil {
				t.Error(err)
				return
			}
			fmt.Println("dropped", 0, n)
		}
	})
	wg.Wait()
	t.FailNow()
}

// powerLost looks for all that was acknowledged in what a disk has left.
func powerLost(dir string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	var wrote [powerWriters]int
	dropped := 0
	for _, line := range lines {
		var what string
		var w, n int
		if _, err := fmt.Sscan(line, &what, &w, &n); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		if what == "dropped" {
			dropped = n
		} else {
			wrote[w] = n
		}
	}
	db, err := badger.Open(powerConfig(dir))
	if err != nil {
		return err
	}
	defer db.Close()
	for w, last := range wrote {
		for n := max(1, last-powerSlots+1); n <= last; n++ {
			value, err := db.Get(powerKey(w, n%powerSlots))
			if err != nil {
				return fmt.Errorf("write %d of writer %d: %w", n, w, err)
			}
			is := 0
			if _, err := fmt.Sscan(string(value), &is); err != nil || is < n || is%powerSlots != n%powerSlots || string(value) != powerValue(w, is) {
				return fmt.Errorf("write %d of writer %d is %.20q", n, w, value)
			}
		}
	}
	for n := 1; n <= dropped; n++ {
		if left, _, err := db.Scan(fmt.Appendf(nil, "d%d.", n), nil, 0); err != nil || len(left) > 0 {
			return fmt.Errorf("%d dropped records are back, %v", len(left), err)
		}
	}
	return db.Submit(context.Background(), func(tx *badger.Tx) error { tx.Put([]byte("again"), nil); return nil })
}

// powerCuts takes the power so often from a disk with a writer. It returns how
// many cuts lost something, how many writes were acknowledged, and what was lost.
func powerCuts(t *testing.T, n int, lies bool) (lost, acknowledged int, what error) {
	disk := powerloss.Mount(t, powerloss.Config{Size: 128 << 20, Lies: lies})
	w := powerloss.Start(t, "TestPowerLoss", powerEnv+"="+disk.Dir())
	for end := time.Now().Add(time.Minute); len(w.Acknowledged()) < 100 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for cut := range n {
		time.Sleep(200*time.Millisecond + rand.N(300*time.Millisecond))
		lines := w.Acknowledged()
		if err := disk.Cut(float64(cut%3)/2, func(dir string) error { return powerLost(dir, lines) }); err != nil {
			lost++
			what = errors.Join(what, fmt.Errorf("cut %d, %d writes: %w", cut, len(lines), err))
		}
		acknowledged = len(lines)
		if lies && lost > 0 {
			break
		}
	}
	if w.Ended() || acknowledged < 100 {
		t.Fatalf("the writer ended %t, %d writes", w.Ended(), acknowledged)
	}
	writes, flushes := disk.Traffic()
	t.Logf("%d cuts, %d lost; %d writes acknowledged, %d of the disk, %d flushes", n, lost, acknowledged, writes, flushes)
	return lost, acknowledged, what
}

// TestPowerLoss takes the power from a database under load: all that was
// acknowledged is there, in the journal or the tables, the fence fits, and what
// was dropped stays so. A disk that ignores flushes shows that the test sees loss.
func TestPowerLoss(t *testing.T) {
	if dir := os.Getenv(powerEnv); dir != "" {
		powerWriter(t, dir)
	}
	for range powerloss.Disks(t) {
		t.Run("disk", func(t *testing.T) {
			if lost, _, what := powerCuts(t, powerloss.CutsOfDisk, false); lost > 0 {
				t.Errorf("%d cuts lost acknowledged writes: %v", lost, what)
			}
		})
	}
	t.Run("disk that lies", func(t *testing.T) {
		if lost, acknowledged, _ := powerCuts(t, 20, true); lost == 0 {
			t.Errorf("none of %d writes was lost", acknowledged)
		}
	})
}
