package powerloss_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/storagetest/powerloss"
)

// fileEnv makes the test binary a writer: how it syncs, and its file.
const fileEnv = "POWERLOSS_FILE"

const recordSize = 512

func writeFile(t *testing.T, args string) {
	var sync bool
	var path string
	if _, err := fmt.Sscan(args, &sync, &path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Sync(); err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		if _, err := fmt.Fprintf(f, "%*d\n", recordSize-1, n); err != nil {
			t.Fatal(err)
		}
		if sync {
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		} else {
			time.Sleep(50 * time.Microsecond)
		}
		fmt.Println(n)
	}
}

var errLost = errors.New("acknowledged records are lost")

// cuts takes the power a few times and returns how often records were lost, and
// how many were acknowledged in the end.
func cuts(t *testing.T, lies, sync bool) (lost, acknowledged int) {
	d := powerloss.Mount(t, powerloss.Config{Size: 32 << 20, Lies: lies})
	path := filepath.Join(d.Dir(), "records")
	w := powerloss.Start(t, t.Name(), fmt.Sprintf("%s=%t %s", fileEnv, sync, path))
	for n := range 6 {
		time.Sleep(150 * time.Millisecond)
		lines := w.Acknowledged()
		err := d.Cut(float64(n%3)/2, func(dir string) error {
			b, err := os.ReadFile(filepath.Join(dir, "records"))
			if err != nil {
				return errLost
			}
			for n := range lines {
				if len(b) < (n+1)*recordSize || string(b[n*recordSize:(n+1)*recordSize]) != fmt.Sprintf("%*d\n", recordSize-1, n+1) {
					return fmt.Errorf("%w: number %d of %d", errLost, n, len(lines))
				}
			}
			return nil
		})
		if err != nil {
			lost++
		}
		acknowledged = len(lines)
	}
	if w.Ended() || acknowledged < 10 {
		t.Fatalf("the writer acknowledged %d records", acknowledged)
	}
	return lost, acknowledged
}

// TestDisk: a file that is synced loses nothing, one that is not does, and on a
// disk that lies a sync helps nobody.
func TestDisk(t *testing.T) {
	if args := os.Getenv(fileEnv); args != "" {
		writeFile(t, args)
	}
	if lost, acknowledged := cuts(t, false, true); lost > 0 {
		t.Errorf("a synced file lost records in %d of 6 cuts, of %d", lost, acknowledged)
	}
	if lost, acknowledged := cuts(t, false, false); lost == 0 {
		t.Errorf("no record was lost of %d that were not synced", acknowledged)
	}
	if lost, acknowledged := cuts(t, true, true); lost == 0 {
		t.Errorf("a disk that ignores flushes lost none of %d records", acknowledged)
	}
}
