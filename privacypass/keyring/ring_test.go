package keyring

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

var send = Slot{"send", privacypass.VOPRFRistretto255}

func config(t testing.TB, slots ...Slot) Config {
	if len(slots) == 0 {
		slots = []Slot{send}
	}
	return Config{Dir: filepath.Join(t.TempDir(), "keys"), Slots: slots, Schedule: monthly, Rand: rand.Reader}
}

func open(t testing.TB, c Config) *Ring {
	t.Helper()
	r, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func advance(t testing.TB, r *Ring, now time.Time) {
	t.Helper()
	if err := r.Advance(now); err != nil {
		t.Fatal(err)
	}
}

func ids(keys []*Key) (s []string) {
	for _, k := range keys {
		id := k.ID()
		s = append(s, string(id[:]))
	}
	return s
}

func TestEpochs(t *testing.T) {
	c := config(t, send, Slot{"send", privacypass.VOPRFP384}, Slot{"create", privacypass.VOPRFRistretto255})
	r := open(t, c)
	if r.Live(send, origin) != nil || !r.Next(origin).Equal(origin) {
		t.Fatal("a new ring has keys")
	}
	for step, at := range days(0, 27, 28, 29.9, 30, 36.9, 37) {
		r = open(t, c) // every step starts from the disk
		advance(t, r, at)
		advance(t, r, at)
		for _, slot := range c.Slots {
			live := r.Live(slot, at)
			wantLive := []int{1, 1, 2, 2, 2, 2, 1}[step]
			wantFirst := days(0, 0, 0, 0, 30, 30, 30)[step]
			if len(live) != wantLive || !live[0].NotBefore.Equal(wantFirst) || live[0].Slot != slot {
				t.Fatalf("step %d: %d live, first starts %v", step, len(live), live[0].NotBefore)
			}
			retires, known := r.Retires(live[len(live)-1])
			switch {
			case step == 4 || step == 5:
				if !known || !retires.Equal(days(37)[0]) {
					t.Errorf("step %d: retires %v, %t", step, retires, known)
				}
			case known:
				t.Errorf("step %d: retires %v", step, retires)
			}
		}
		if want := days(28, 28, 30, 30, 37, 37, 58)[step]; !r.Next(at).Equal(want) {
			t.Errorf("step %d: next %v, want %v", step, r.Next(at), want)
		}
		if len(r.All()) != len(c.Slots)*[]int{1, 1, 2, 2, 2, 2, 1}[step] {
			t.Errorf("step %d: %d keys in all", step, len(r.All()))
		}
	}
}

func TestReopenKeepsKeys(t *testing.T) {
	c := config(t, send, Slot{"send", privacypass.BlindRSA})
	r := open(t, c)
	advance(t, r, origin)
	before := append(ids(r.Live(c.Slots[0], origin)), ids(r.Live(c.Slots[1], origin))...)
	r = open(t, c)
	advance(t, r, origin.Add(day))
	after := append(ids(r.Live(c.Slots[0], origin)), ids(r.Live(c.Slots[1], origin))...)
	if strings.Join(before, "") != strings.Join(after, "") || len(after) != 2 {
		t.Error("reopening changed the keys")
	}
}

func TestModes(t *testing.T) {
	c := config(t)
	r := open(t, c)
	advance(t, r, origin)
	check := func(path string, want os.FileMode) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	check(c.Dir, 0o700)
	file := filepath.Join(c.Dir, r.Live(send, origin)[0].fileName())
	check(file, 0o600)
	for _, wide := range []struct {
		path string
		mode os.FileMode
	}{{c.Dir, 0o750}, {c.Dir, 0o701}, {file, 0o640}, {file, 0o604}} {
		info, _ := os.Stat(wide.path)
		os.Chmod(wide.path, wide.mode)
		if _, err := Open(c); !errors.Is(err, ErrMode) {
			t.Errorf("%s with mode %o: %v", wide.path, wide.mode, err)
		}
		if err := r.Advance(origin); !errors.Is(err, ErrMode) {
			t.Errorf("advance, %s with mode %o: %v", wide.path, wide.mode, err)
		}
		os.Chmod(wide.path, info.Mode().Perm())
	}
	if _, err := Open(c); err != nil {
		t.Error(err)
	}
}

// TestInterrupted leaves behind what a kill at any point of a rotation can, and
// checks that the next Advance puts it right: a half-written file, a retired key
// removed and its successor's successor not yet made, and nothing done at all.
func TestInterrupted(t *testing.T) {
	c := config(t)
	r := open(t, c)
	advance(t, r, days(0)[0])
	advance(t, r, days(28)[0])
	old := r.Live(send, days(28)[0])[0]
	half := filepath.Join(c.Dir, temporary+"123")
	if err := os.WriteFile(half, []byte("-----BEGIN PRIV"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = open(t, c)
	if len(r.All()) != 2 {
		t.Fatalf("%d keys beside a half-written file", len(r.All()))
	}
	advance(t, r, days(58)[0]) // down between 28 and 58: retire and announce are due
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half-written file: %v", err)
	}
	live := r.Live(send, days(58)[0])
	if len(live) != 2 || !live[0].NotBefore.Equal(days(30)[0]) || !live[1].NotBefore.Equal(days(60)[0]) {
		t.Fatalf("after 58 days: %d keys", len(live))
	}
	// As if killed after the removal: the older of two is gone, the new one missing.
	if err := r.dir.remove(live[1]); err != nil {
		t.Fatal(err)
	}
	r = open(t, c)
	advance(t, r, days(58)[0])
	again := r.Live(send, days(58)[0])
	if len(again) != 2 || again[0].ID() != live[0].ID() || again[1].ID() == live[1].ID() || again[0].ID() == old.ID() {
		t.Error("did not go on from a removal")
	}
}

func TestRotate(t *testing.T) {
	c := config(t)
	r := open(t, c)
	advance(t, r, origin)
	first := r.Live(send, origin)[0].ID()

	now := days(1)[0]
	if err := r.Rotate(send, Ahead, now); err != nil {
		t.Fatal(err)
	}
	live := r.Live(send, now)
	if len(live) != 2 || live[0].ID() != first || !live[1].NotBefore.Equal(now.Add(monthly.Lead)) {
		t.Fatal("rotated ahead in another way")
	}
	if err := r.Rotate(send, Ahead, now); !errors.Is(err, ErrTwoKeys) || len(r.All()) != 2 {
		t.Fatalf("a third key: %v", err)
	}
	if err := r.Rotate(send, AtOnce, now); err != nil {
		t.Fatal(err)
	}
	live = r.Live(send, now)
	if len(live) != 2 || live[1].ID() != first || !live[0].NotBefore.Equal(now) {
		t.Fatal("rotated at once in another way")
	}
	second := live[0].ID()
	if err := r.Rotate(send, AtOnce, now); err != nil { // in the same second
		t.Fatal(err)
	}
	live = r.Live(send, now.Add(time.Second))
	if len(live) != 2 || live[1].ID() != second || !live[0].NotBefore.Equal(now.Add(time.Second)) {
		t.Fatal("rotated twice in a second in another way")
	}
	if err := r.Rotate(send, Compromised, now.Add(hour)); err != nil {
		t.Fatal(err)
	}
	live = r.Live(send, now.Add(hour))
	if len(live) != 1 || len(r.All()) != 1 || !live[0].NotBefore.Equal(now.Add(hour)) {
		t.Fatal("a compromised key stayed")
	}
	if err := r.Rotate(Slot{"other", send.Type}, Ahead, now); err == nil {
		t.Error("rotated a slot that is not configured")
	}
}

// seeds is a random source that repeats each of its blocks the given number of
// times.
type seeds struct{ n, repeat uint64 }

func (s *seeds) Read(b []byte) (int, error) {
	clear(b)
	binary.BigEndian.PutUint64(b, s.n/s.repeat)
	s.n++
	return len(b), nil
}

func TestTruncatedIDs(t *testing.T) {
	var slots []Slot
	for i := range maxSlots {
		slots = append(slots, Slot{"c" + strings.Repeat("x", i%31) + string(rune('a'+i/31)), send.Type})
	}
	c := config(t, slots...)
	c.Rand = new(seeds)
	c.Rand.(*seeds).repeat = 2
	r := open(t, c)
	advance(t, r, origin)
	advance(t, r, days(28)[0])
	seen := make(map[uint8]bool)
	for _, k := range r.All() {
		seen[k.ID().Truncated()] = true
	}
	if len(r.All()) != 2*maxSlots || len(seen) != 2*maxSlots {
		t.Errorf("%d keys with %d truncated identifiers", len(r.All()), len(seen))
	}

	c = config(t, slots[:2]...)
	c.Rand = &seeds{repeat: 1 << 40}
	if err := open(t, c).Advance(origin); !errors.Is(err, issuer.ErrKeyCollision) {
		t.Errorf("a stuck random source: %v", err)
	}
}

// TestRemovedKeysAreNotNamed: a request for a key that a rotation removed names none
// that is live.
func TestRemovedKeysAreNotNamed(t *testing.T) {
	for _, how := range []Rotation{AtOnce, Compromised} {
		r := open(t, config(t))
		r.config.Rand = new(seeds)
		r.config.Rand.(*seeds).repeat = 1
		now := origin
		advance(t, r, now)
		for range 1000 {
			now = now.Add(2 * time.Second)
			before := r.All()
			if err := r.Rotate(send, how, now); err != nil {
				t.Fatal(err)
			}
			made := r.Live(send, now)[0]
			for _, k := range before {
				if k.ID().Truncated() == made.ID().Truncated() {
					t.Fatalf("rotation %d: the new key is named like one before it", how)
				}
			}
		}
	}
}

// TestTwoPrograms lets rings on one directory race: rotations never give a slot
// a third key, and no key file is lost or torn.
func TestTwoPrograms(t *testing.T) {
	c := config(t)
	var wg sync.WaitGroup
	for range 4 {
		r := open(t, c)
		wg.Go(func() {
			for range 5 {
				if err := r.Advance(origin); err != nil {
					t.Error(err)
				}
				if err := r.Rotate(send, Ahead, origin); err != nil && !errors.Is(err, ErrTwoKeys) {
					t.Error(err)
				}
				if err := r.Reload(); err != nil || len(r.Live(send, origin)) > 2 {
					t.Errorf("%d keys, %v", len(r.Live(send, origin)), err)
				}
			}
		})
	}
	wg.Wait()
	if keys := open(t, c).All(); len(keys) != 2 {
		t.Errorf("%d keys", len(keys))
	}
}

func TestOpenErrors(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"schedule":  func(c *Config) { c.Schedule.Overlap = 0 },
		"class":     func(c *Config) { c.Slots = []Slot{{"Send", send.Type}} },
		"type":      func(c *Config) { c.Slots = []Slot{{"send", 0x1234}} },
		"twice":     func(c *Config) { c.Slots = []Slot{send, send} },
		"no parent": func(c *Config) { c.Dir = filepath.Join(c.Dir, "deeper") },
		"not a dir": func(c *Config) { os.WriteFile(c.Dir, nil, 0o600) },
		"not a key": func(c *Config) {
			os.Mkdir(c.Dir, 0o700)
			os.WriteFile(filepath.Join(c.Dir, "notes"), []byte("x"), 0o600)
		},
		"large file": func(c *Config) {
			os.Mkdir(c.Dir, 0o700)
			os.WriteFile(filepath.Join(c.Dir, "x.key"), make([]byte, maxFile+1), 0o600)
		},
		"a folder": func(c *Config) { os.MkdirAll(filepath.Join(c.Dir, "x.key"), 0o700) },
	} {
		c := config(t)
		change(&c)
		if _, err := Open(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, bad := range []string{"", "1", "-a", "aB", "a.b", "a/b", strings.Repeat("a", 33)} {
		if !errors.Is(CheckClass(bad), ErrClass) {
			t.Errorf("class %q accepted", bad)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	c := config(t)
	r := open(t, c)
	advance(t, r, origin)
	k := r.All()[0]
	content := k.marshal().Reveal()
	for n := range content {
		if _, err := parse(content[:n]); !errors.Is(err, ErrFile) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	for name, bad := range map[string][]byte{
		"trailing octet": append(bytes.Clone(content), '\n'),
		"leading octet":  append([]byte{'\n'}, content...),
		"CRLF":           bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n")),
		"other class":    bytes.Replace(content, []byte("Class: send"), []byte("Class: Send"), 1),
		"one header":     bytes.Replace(content, []byte("Class: send\n"), nil, 1),
		"negative start": bytes.Replace(content, []byte("Not-Before: "), []byte("Not-Before: -"), 1),
		"padded start":   bytes.Replace(content, []byte("Not-Before: "), []byte("Not-Before: 0"), 1),
	} {
		if _, err := parse(bad); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A file under another key's name is refused: names are what people see.
	if err := os.Rename(filepath.Join(c.Dir, k.fileName()), filepath.Join(c.Dir, "send.0005.1.00000000.key")); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(); !errors.Is(err, ErrFile) {
		t.Errorf("renamed file: %v", err)
	}
}
