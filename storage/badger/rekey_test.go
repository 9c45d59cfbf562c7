package badger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/powerloss"
)

// rekeyEnv makes the test binary one that gives the database there another key.
const rekeyEnv = "BADGER_REKEY"

const rekeyed = 300 // records

// rekeyedWith returns the number of the key that opens what a rekeying has left, from
// the first on, and checks that the one before it and the one after do not, that nothing
// is lost, and that the database goes on.
func rekeyedWith(t *testing.T, dir string, first, last int) (n int) {
	t.Helper()
	var db *badger.DB
	err := badger.ErrEncryption
	for n = first - 1; errors.Is(err, badger.ErrEncryption) && n < last; {
		n++
		db, err = badger.Open(sealedConfig(dir, keyOf(byte(n))))
	}
	if err != nil {
		t.Fatalf("keys %d to %d: %v", first, n, err)
	}
	wantNeedles(t, db, rekeyed)
	putNeedles(t, db, rekeyed, rekeyed+3)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, other := range []int{n - 1, n + 1} {
		if _, err := badger.Open(sealedConfig(dir, keyOf(byte(other)))); !errors.Is(err, badger.ErrEncryption) {
			t.Fatalf("key %d, which is not its: %v", other, err)
		}
	}
	return n
}

// TestRotateKeyInterrupted looks at what each system call of a rekeying leaves: the
// database opens under the old key until it does under the new one, with all it had,
// and a rekeying that is repeated comes to its end.
func TestRotateKeyInterrupted(t *testing.T) {
	if dir := os.Getenv(rekeyEnv); dir != "" {
		if err := badger.RotateKey(dir, keyOf(1), keyOf(2)); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := filepath.Join(t.TempDir(), "db")
	db := mustOpen(t, sealedConfig(dir, keyOf(1)))
	putNeedles(t, db, 0, rekeyed)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var under []int // the key of each state
	look := func(state string) {
		t.Helper()
		repeated := state + "-repeated"
		if err := storagetest.CopyLive(state, repeated); err != nil {
			t.Fatal(err)
		}
		n := rekeyedWith(t, state, 1, 2)
		under = append(under, n)
		if err := badger.RotateKey(repeated, keyOf(byte(n)), keyOf(2)); err != nil {
			t.Fatalf("repeated: %v", err)
		}
		rekeyedWith(t, repeated, 2, 2)
	}
	states := storagetest.EachState(t, dir, "TestRotateKeyInterrupted", rekeyEnv+"="+dir, look)
	// As it was, with an empty file beside, with a whole one, and that in its place.
	if want := []int{1, 2}; states < 4 || !slices.Equal(slices.Compact(under), want) {
		t.Errorf("%d states, opened under %v", states, under)
	}
	look(dir)

	// A file that got only in part to the disk before its name did.
	whole, err := os.ReadFile(filepath.Join(dir, "KEYREGISTRY"))
	if err != nil || len(whole) < 60 {
		t.Fatalf("%d octets of data keys, %v", len(whole), err)
	}
	for n := range len(whole) {
		if err := os.WriteFile(filepath.Join(dir, "REWRITE-KEYREGISTRY"), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := badger.RotateKey(dir, keyOf(2), keyOf(2)); err != nil {
			t.Fatalf("beside %d octets of another: %v", n, err)
		}
	}
	rekeyedWith(t, dir, 2, 2)
}

// rekeyPowerEnv makes the test binary one that gives the database on the disk there one
// key after the other, and prints the number of each.
const rekeyPowerEnv = "BADGER_REKEY_POWER"

// TestRotateKeyPowerLoss takes the power from a database that gets one key after the
// other: it opens under the last that was acknowledged, or a later one, and has all its
// records.
func TestRotateKeyPowerLoss(t *testing.T) {
	if disk := os.Getenv(rekeyPowerEnv); disk != "" {
		dir := filepath.Join(disk, "db")
		db := mustOpen(t, sealedConfig(dir, keyOf(0)))
		putNeedles(t, db, 0, rekeyed)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for n := 0; ; n++ {
			fmt.Println(n)
			if err := badger.RotateKey(dir, keyOf(byte(n)), keyOf(byte(n+1))); err != nil {
				t.Fatal(err)
			}
		}
	}
	disk := powerloss.Mount(t, powerloss.Config{Size: 64 << 20})
	w := powerloss.Start(t, "TestRotateKeyPowerLoss", rekeyPowerEnv+"="+disk.Dir())
	for end := time.Now().Add(time.Minute); len(w.Acknowledged()) == 0; time.Sleep(10 * time.Millisecond) {
		if w.Ended() || time.Now().After(end) {
			t.Fatal("there is no database")
		}
	}
	ahead := 0
	const cuts = 12
	for cut := range cuts {
		time.Sleep(time.Duration(17*cut) * time.Millisecond)
		lines := w.Acknowledged()
		err := disk.Cut(float64(cut%3)/2, func(disk string) error {
			// The writer goes on while the cut is made.
			if key := len(lines) - 1; rekeyedWith(t, filepath.Join(disk, "db"), key, key+200) > key {
				ahead++
			}
			return nil
		})
		if err != nil {
			t.Fatalf("cut %d, after %d keys: %v", cut, len(lines), err)
		}
	}
	t.Logf("%d cuts in %d rekeyings, %d of them left a key that was not acknowledged yet", cuts, len(w.Acknowledged()), ahead)
}
