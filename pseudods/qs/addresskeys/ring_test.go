package addresskeys

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var start = time.Unix(1_800_000_000, 0)

const day = 24 * time.Hour

func open(t *testing.T, c Config, now time.Time) *Ring {
	t.Helper()
	r, err := Open(c, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKeysRotate(t *testing.T) {
	for _, kem := range []wire.KEM{wire.X25519, wire.XWing} {
		c := Config{Dir: filepath.Join(t.TempDir(), "keys"), KEM: kem, Period: 10 * day, Lifetime: 15 * day}
		r := open(t, c, start)
		first := r.Published()
		if len(first) != 1 || first[0].Key.KEM != kem || first[0].SealUntil != uint64(start.Add(10*day).Unix()) || first[0].OpenUntil != uint64(start.Add(25*day).Unix()) {
			t.Fatalf("published %+v", first)
		}
		a, err := seal.SealAddress(&first[0].Key, wire.AddressOneTime, wire.QueueID{1}, wire.AddressID{2}, seal.Use{})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			keys  int
		}{{day, 1}, {10 * day, 2}, {11 * day, 2}, {20 * day, 3}, {25*day - 1, 3}} {
			if err := r.Advance(start.Add(step.after)); err != nil {
				t.Fatal(err)
			}
			if got := r.Published(); len(got) != step.keys {
				t.Fatalf("after %v: %d keys, want %d", step.after, len(got), step.keys)
			}
			again := open(t, c, start.Add(step.after)) // a restart goes on with the same keys
			q, _, err := seal.OpenAddress(again.Key(a.KeyID), a, seal.Use{})
			if err != nil || q != (wire.QueueID{1}) {
				t.Fatalf("after %v: %v", step.after, err)
			}
			if !again.TicketKey().Equal(r.TicketKey()) || r.TicketKey().Len() != 32 {
				t.Fatal("the ticket key does not last")
			}
		}
		if got := r.Published(); got[0].SealUntil <= got[1].SealUntil {
			t.Error("the newest key is not the first")
		}
		if err := r.Advance(start.Add(25 * day)); err != nil {
			t.Fatal(err)
		}
		if r.Key(a.KeyID) != nil || r.Key(wire.AddressKeyID{}) != nil {
			t.Error("a key outlives its time")
		}
		files, err := filepath.Glob(filepath.Join(c.Dir, "*"))
		if err != nil || len(files) != 3 {
			t.Errorf("files %v, %v", files, err)
		}
	}
}

func TestDirectoryIsGuarded(t *testing.T) {
	c := Config{Dir: filepath.Join(t.TempDir(), "keys")}
	open(t, c, start)
	files, err := filepath.Glob(filepath.Join(c.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(files, c.Dir) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, info.Mode()|0o040); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(c, start); !errors.Is(err, ErrMode) {
			t.Errorf("%s readable by the group: %v", filepath.Base(path), err)
		}
		if err := os.Chmod(path, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	// What an interrupted write left goes; what is no key of ours stops.
	left := filepath.Join(c.Dir, temporary+"x")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, c, start)
	if _, err := os.Stat(left); err == nil {
		t.Error("a temporary file stays")
	}
	for name, content := range map[string]string{
		"00.key":   "no key",
		"11.key":   "-----BEGIN OTHER-----\n-----END OTHER-----\n",
		"long.key": strings.Repeat("x", maxFile+1),
	} {
		path := filepath.Join(c.Dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(c, start); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range files { // a key under another's name
		if filepath.Base(path) == ticketName {
			continue
		}
		if err := os.Rename(path, filepath.Join(c.Dir, "0011223344556677.key")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(c, start); !errors.Is(err, ErrFile) {
		t.Errorf("renamed key: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]Config{
		"no directory": {},
		"period":       {Dir: t.TempDir(), Period: 1},
		"lifetime":     {Dir: t.TempDir(), Lifetime: -1},
		"KEM":          {Dir: filepath.Join(t.TempDir(), "k"), KEM: 1},
	} {
		if _, err := Open(c, start); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzKeyFile(f *testing.F) {
	f.Add(pem.EncodeToMemory(&pem.Block{Type: pemAddress, Bytes: make([]byte, 32), Headers: map[string]string{"Kem": "32", "Not-Before": "1"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		content, headers, err := parsePEM(b, pemAddress)
		if err == nil {
			var k *key
			if k, err = parse(content, headers); err == nil {
				b, err := k.Marshal() // clamped, for X25519
				if err != nil {
					t.Fatal(err)
				}
				again, err := seal.ParseKey(k.Public().KEM, b)
				if err != nil || again.Public().ID() != k.Public().ID() {
					t.Fatal("a key reads back as another")
				}
			}
		}
		if err != nil && !errors.Is(err, ErrFile) {
			t.Fatal(err)
		}
	})
}

// TestRotate brings in keys ahead of time, also several in one second.
func TestRotate(t *testing.T) {
	c := Config{Dir: filepath.Join(t.TempDir(), "keys")}
	r := open(t, c, start)
	first := r.Published()[0].Key.ID()
	for want := 2; want < 5; want++ {
		newest := r.Published()[0].Key.ID()
		if err := r.Rotate(start, false); err != nil {
			t.Fatal(err)
		}
		if got := r.Published(); len(got) != want || got[0].Key.ID() == newest || got[1].Key.ID() != newest {
			t.Fatalf("%d keys after a rotation", len(got))
		}
	}
	other := open(t, c, start) // such as a running service
	if err := r.Rotate(start.Add(day), true); err != nil {
		t.Fatal(err)
	}
	if other.Key(first) == nil {
		t.Error("a key goes before its directory is read again")
	}
	if err := other.Advance(start.Add(day)); err != nil {
		t.Fatal(err)
	}
	if got := other.Published(); len(got) != 1 || got[0].Key.ID() != r.Published()[0].Key.ID() || other.Key(first) != nil {
		t.Errorf("%d keys after a compromise", len(got))
	}
}

// TestProcessesShareKeys: processes that start at once on an empty directory, and
// rotate at once, have one key of each period, and one knows at once what another
// made.
func TestProcessesShareKeys(t *testing.T) {
	const processes = 8
	c := Config{Dir: filepath.Join(t.TempDir(), "keys"), Period: 10 * day, Lifetime: 15 * day}
	rings := make([]*Ring, processes)
	at := func(now time.Time) {
		var wg sync.WaitGroup
		for i := range rings {
			wg.Go(func() {
				var err error
				if rings[i] == nil {
					rings[i], err = Open(c, now)
				} else {
					err = rings[i].Advance(now)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	for n := range 3 {
		at(start.Add(time.Duration(n) * 10 * day))
		for _, r := range rings {
			got := r.Published()
			if len(got) != n+1 || got[0].Key.ID() != rings[0].Published()[0].Key.ID() || !r.TicketKey().Equal(rings[0].TicketKey()) {
				t.Fatalf("after %d rotations a process has %d keys, or another", n, len(got))
			}
		}
	}
	for range 3 {
		if err := rings[0].Rotate(start.Add(21*day), false); err != nil {
			t.Fatal(err)
		}
		id := rings[0].Published()[0].Key.ID()
		for _, r := range rings[1:] {
			if r.Key(id) == nil || r.Key(wire.AddressKeyID{1}) != nil {
				t.Fatal("a process does not know what another made, or what nobody did")
			}
		}
	}
}
