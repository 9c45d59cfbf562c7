package badger_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest"
)

// TestAgainstAMap plays random requests, reads, crashes and restarts, with a
// journal that is full all the time, so that records lie in each of the layers,
// half deleted or half moved.
func TestAgainstAMap(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &model{T: t, r: rand.New(rand.NewPCG(seed, 1)), want: map[string]string{}}
			m.cfg = badger.Config{Dir: filepath.Join(t.TempDir(), "db"), Journal: []int{1, 64 << 10, 0, 1 << 20}[seed]}
			m.db = open(t, m.cfg)
			for range 250 {
				m.step()
			}
		})
	}
}

type model struct {
	*testing.T
	r    *rand.Rand
	cfg  badger.Config
	db   *badger.DB
	want map[string]string
	// places are kept over requests that fail, journals and restarts.
	places [8]badger.Place
}

// key is one of few, in groups that share prefixes.
func (m *model) key() string {
	return fmt.Sprintf("%c%c%02d", "ab"[m.r.IntN(2)], "xyz"[m.r.IntN(3)], m.r.IntN(20))
}

func (m *model) step() {
	switch n := m.r.IntN(100); {
	case n < 60:
		m.submit()
	case n < 90:
		m.scan()
	case n < 94:
		prefix := m.key()[:2]
		if err := m.db.DropPrefix(context.Background(), []byte(prefix)); err != nil {
			m.Fatal(err)
		}
		maps.DeleteFunc(m.want, func(k, _ string) bool { return strings.HasPrefix(k, prefix) })
	case n < 97:
		to := filepath.Join(m.TempDir(), "copy")
		if err := storagetest.CopyLive(m.cfg.Dir, to); err != nil {
			m.Fatal(err)
		}
		m.db.Close()
		m.cfg.Dir = to
		m.db = open(m.T, m.cfg)
		m.all()
	default:
		if err := m.db.Close(); err != nil {
			m.Fatal(err)
		}
		m.db = open(m.T, m.cfg)
		m.all()
	}
}

func (m *model) submit() {
	fails := m.r.IntN(10) == 0
	refusal := errors.New("refused")
	var next map[string]string
	err := m.db.Submit(context.Background(), func(tx *badger.Tx) error {
		next = maps.Clone(m.want)
		for range 1 + m.r.IntN(8) {
			k := m.key()
			if v, err := tx.Get([]byte(k)); (err == nil) != hasKey(next, k) || err == nil && string(v) != next[k] {
				m.Errorf("%s: in the request %q, %v; want %q", k, v, err, next[k])
			}
			switch m.r.IntN(4) {
			case 0:
				tx.Delete([]byte(k))
				delete(next, k)
			case 1:
				if tx.ExtendAt(m.place(), []byte(k), []byte("+tail")) {
					if !hasKey(next, k) {
						m.Errorf("%s was extended and is not there", k)
					}
					next[k] += "+tail"
				}
			default:
				next[k] = fmt.Sprint(m.r.Uint64())
				tx.PutAt(m.place(), []byte(k), []byte(next[k]))
			}
		}
		if fails {
			return refusal
		}
		return nil
	})
	if fails {
		wantErr(m.T, err, refusal)
	} else if err != nil {
		m.Fatal(err)
	} else {
		m.want = next
	}
}

// place is that of some record, or none.
func (m *model) place() *badger.Place {
	if m.r.IntN(4) == 0 {
		return nil
	}
	return &m.places[m.r.IntN(len(m.places))]
}

func hasKey(m map[string]string, k string) bool { _, ok := m[k]; return ok }

// scan reads a few records from somewhere on.
func (m *model) scan() {
	prefix, from, limit := m.key()[:m.r.IntN(3)+1], m.key(), 1+m.r.IntN(5)
	got, next, err := m.db.Scan([]byte(prefix), []byte(from), limit)
	if err != nil {
		m.Fatal(err)
	}
	var want []string
	for _, k := range slices.Sorted(maps.Keys(m.want)) {
		if strings.HasPrefix(k, prefix) && k >= from {
			want = append(want, k)
		}
	}
	if len(want) > limit {
		if string(next) != want[limit] {
			m.Fatalf("scan of %q from %q: next %q, want %q", prefix, from, next, want[limit])
		}
		want = want[:limit]
	} else if next != nil {
		m.Fatalf("scan of %q from %q: next %q, want none", prefix, from, next)
	}
	if len(got) != len(want) {
		m.Fatalf("scan of %q from %q: %d records, want %q", prefix, from, len(got), want)
	}
	for i, e := range got {
		if string(e.Key) != want[i] || string(e.Value) != m.want[want[i]] {
			m.Fatalf("scan of %q from %q: %q: %q, want %q: %q", prefix, from, e.Key, e.Value, want[i], m.want[want[i]])
		}
	}
}

func (m *model) all() {
	for _, prefix := range []string{"a", "b"} {
		got, _, err := m.db.Scan([]byte(prefix), nil, 0)
		if err != nil {
			m.Fatal(err)
		}
		n := 0
		for k := range m.want {
			if strings.HasPrefix(k, prefix) {
				n++
			}
		}
		if len(got) != n {
			m.Fatalf("%d records with %q, want %d", len(got), prefix, n)
		}
		for _, e := range got {
			if v, ok := m.want[string(e.Key)]; !ok || v != string(e.Value) {
				m.Fatalf("%q: %q, want %q", e.Key, e.Value, v)
			}
		}
	}
}
