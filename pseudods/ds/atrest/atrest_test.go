package atrest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
)

var group = []byte("group")

func stateKey(n byte) secret.Bytes { return secret.Clone(bytes.Repeat([]byte{n}, KeySize)) }

// history is a group's keys with the links that a store would hold.
type history struct {
	keys  *Keys
	links map[Generation][]byte
}

func (h *history) link(g Generation) ([]byte, error) {
	l, ok := h.links[g]
	if !ok {
		return nil, errors.New("no such link")
	}
	return l, nil
}

func newHistory(t testing.TB, generations int) *history {
	t.Helper()
	k, err := New(group, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := &history{k, map[Generation][]byte{}}
	for range generations {
		next, link, err := h.keys.Next(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h.links[next.Generation()] = link
		h.keys = next
	}
	return h
}

// reopened are the keys as a later request gets them.
func (h *history) reopened(t testing.TB, key secret.Bytes, epoch uint64) *Keys {
	t.Helper()
	wrapped, err := h.keys.Wrap(rand.Reader, key, epoch)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Unwrap(group, key, epoch, h.keys.Generation(), wrapped, h.link)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRecordsOfEveryGenerationOpen(t *testing.T) {
	const generations = 100
	h := newHistory(t, 0)
	records := map[Generation][]byte{}
	for g := Generation(0); ; g++ {
		rec, err := h.keys.Seal(rand.Reader, Place{Kind: KindNode, Index: uint64(g)}, fmt.Append(nil, "record ", g))
		if err != nil {
			t.Fatal(err)
		}
		records[g] = rec
		if g == generations {
			break
		}
		next, link, err := h.keys.Next(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h.links[next.Generation()], h.keys = link, next
	}
	for g, rec := range records {
		steps := 0
		k := h.reopened(t, stateKey(1), 5)
		k.links = func(g Generation) ([]byte, error) { steps++; return h.link(g) }
		plain, err := k.Open(Place{Kind: KindNode, Index: uint64(g)}, rec)
		if err != nil || string(plain) != fmt.Sprint("record ", g) {
			t.Errorf("generation %d: %q, %v", g, plain, err)
		}
		if steps > 7 {
			t.Errorf("generation %d took %d links, want at most log2 of %d", g, steps, generations)
		}
	}
}

// TestINV09RemovedMemberOpensNothingLater: the keys a member had when it was
// removed, together with a copy of the whole store, open no later record.
func TestINV09RemovedMemberOpensNothingLater(t *testing.T) {
	h := newHistory(t, 3)
	removed := h.reopened(t, stateKey(1), 5)
	next, link, err := h.keys.Next(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.links[next.Generation()], h.keys = link, next
	p := Place{Kind: KindHeader, Version: 6}
	later, err := h.keys.Seal(rand.Reader, p, []byte("later"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := removed.Open(p, later); !errors.Is(err, ErrGeneration) {
		t.Errorf("record of the next generation: %v", err)
	}
	wrapped, err := h.keys.Wrap(rand.Reader, stateKey(2), 6)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []Generation{3, 4} {
		if _, err := Unwrap(group, stateKey(1), 6, g, wrapped, h.link); !errors.Is(err, ErrKey) {
			t.Errorf("old group state key on the new wrap: %v", err)
		}
	}
	for g, l := range h.links {
		for have, key := range removed.data {
			if _, ok := openWith(newAEAD(key.Reveal()), l, removed.context("link", uint64(g))); ok && g > have {
				t.Errorf("key of generation %d opens the link of %d", have, g)
			}
		}
	}
}

func TestRecordOpensAtItsPlaceAlone(t *testing.T) {
	h := newHistory(t, 2)
	p := Place{Kind: KindNode, Index: 7, Version: 3}
	rec, err := h.keys.Seal(rand.Reader, p, []byte("record"))
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]Place{
		"kind":    {Kind: KindHeader, Index: 7, Version: 3},
		"index":   {Kind: KindNode, Index: 8, Version: 3},
		"version": {Kind: KindNode, Index: 7, Version: 2},
	} {
		if _, err := h.keys.Open(other, rec); !errors.Is(err, ErrRecord) {
			t.Errorf("other %s: %v", name, err)
		}
	}
	stranger := newHistory(t, 2).keys
	if _, err := stranger.Open(p, rec); !errors.Is(err, ErrRecord) {
		t.Errorf("another group's key: %v", err)
	}
	for i := range rec {
		bad := bytes.Clone(rec)
		bad[i] ^= 1
		if _, err := h.keys.Open(p, bad); err == nil {
			t.Errorf("octet %d changed: opened", i)
		}
		if _, err := h.keys.Open(p, rec[:i]); err == nil {
			t.Errorf("prefix of %d octets opened", i)
		}
	}
	if _, err := h.keys.Open(p, append(rec, 0)); !errors.Is(err, ErrRecord) {
		t.Errorf("trailing octet: %v", err)
	}
	if plain, err := h.keys.Open(p, rec); err != nil || string(plain) != "record" {
		t.Errorf("%q, %v", plain, err)
	}
}

func TestWrapOpensForItsEpochAlone(t *testing.T) {
	h := newHistory(t, 1)
	wrapped, err := h.keys.Wrap(rand.Reader, stateKey(1), 5)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"other key":        second(Unwrap(group, stateKey(2), 5, 1, wrapped, h.link)),
		"other epoch":      second(Unwrap(group, stateKey(1), 4, 1, wrapped, h.link)),
		"other generation": second(Unwrap(group, stateKey(1), 5, 0, wrapped, h.link)),
		"other group":      second(Unwrap([]byte("other"), stateKey(1), 5, 1, wrapped, h.link)),
		"short key":        second(Unwrap(group, secret.Clone([]byte{1}), 5, 1, wrapped, h.link)),
		"no key":           second(Unwrap(group, secret.Bytes{}, 5, 1, wrapped, h.link)),
		"cut":              second(Unwrap(group, stateKey(1), 5, 1, wrapped[:20], h.link)),
		"nothing":          second(Unwrap(group, stateKey(1), 5, 1, nil, h.link)),
	} {
		if !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ *Keys, err error) error { return err }

func TestSizesShowTheirClassAlone(t *testing.T) {
	h := newHistory(t, 0)
	classes := map[int]int{}
	for n := range 5000 {
		rec, err := h.keys.Seal(rand.Reader, Place{}, make([]byte, n))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := h.keys.Open(Place{}, rec)
		if err != nil || len(plain) != n {
			t.Fatalf("%d octets come back as %d: %v", n, len(plain), err)
		}
		if over := len(rec) - 32 - n; n > 200 && over > n/8 {
			t.Errorf("%d octets are padded by %d", n, over)
		}
		classes[len(rec)]++
	}
	if len(classes) > 120 {
		t.Errorf("5,000 sizes show as %d classes", len(classes))
	}
}

// FuzzOpen: no record makes Open fail in another way than by its errors.
func FuzzOpen(f *testing.F) {
	h := newHistory(f, 3)
	rec, err := h.keys.Seal(rand.Reader, Place{Kind: KindNode}, []byte("record"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(rec)
	f.Add(rec[:10])
	f.Fuzz(func(t *testing.T, rec []byte) {
		if _, err := h.keys.Open(Place{Kind: KindNode}, rec); err != nil &&
			!errors.Is(err, ErrRecord) && !errors.Is(err, ErrGeneration) && !errors.Is(err, ErrKey) {
			t.Error(err)
		}
	})
}
