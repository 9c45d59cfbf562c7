package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/audit"
	"github.com/pseudods/pseudods/storage/badger"
)

var rng = rand.NewChaCha8([32]byte{1})

func random(n int) []byte {
	b := make([]byte, n)
	rng.Read(b)
	return b
}

func newScanner(t testing.TB, needles ...audit.Needle) *audit.Scanner {
	t.Helper()
	s, err := audit.New(needles)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// written returns a needle in all forms in which it must be found.
func written(n []byte) map[string][]byte {
	reversed := slices.Clone(n)
	slices.Reverse(reversed)
	digest := sha256.Sum256(n)
	list := make([]int, len(n))
	for i, b := range n {
		list[i] = int(b)
	}
	listed, _ := json.Marshal(list)
	out := map[string][]byte{
		"raw": n, "hex lower": []byte(hex.EncodeToString(n)), "hex upper": []byte(strings.ToUpper(hex.EncodeToString(n))),
		"decimal by fmt": fmt.Append(nil, n), "decimal by json": listed, "quoted": fmt.Appendf(nil, "%q", n),
		"decimal in Go": []byte(strings.ReplaceAll(string(listed), ",", ", ")),
		"reversed":      reversed, "hashed": digest[:], "hashed hex": []byte(hex.EncodeToString(digest[:])), "hashed cut": digest[:16],
		"hashed base64": []byte(base64.RawURLEncoding.EncodeToString(digest[:16])),
	}
	for before := range 3 {
		for after := range 3 {
			whole := slices.Concat(random(before), n, random(after))
			out[fmt.Sprint("base64 ", before, after)] = []byte(base64.StdEncoding.EncodeToString(whole))
			out[fmt.Sprint("base64url ", before, after)] = []byte(base64.RawURLEncoding.EncodeToString(whole))
		}
	}
	return out
}

// TestFindsEveryForm plants needles of many lengths in noise, in every form.
func TestFindsEveryForm(t *testing.T) {
	for _, size := range []int{8, 9, 10, 11, 16, 17, 32, 33, 255, audit.MaxNeedle} {
		n := random(size)
		s := newScanner(t, audit.Needle{Kind: "needle", Octets: n}, audit.Needle{Kind: "other", Octets: random(size)})
		for name, planted := range written(n) {
			r := s.Report("noise")
			r.Record(random(50), slices.Concat(random(77), planted, random(33)))
			if found, hits := r.Found("needle"); found != 1 || hits != (audit.Hits{Records: 1}) {
				t.Errorf("%d octets, %s: found %d, %+v", size, name, found, hits)
			}
			if found, _ := r.Found("other"); found != 0 {
				t.Errorf("%d octets, %s: found what is not there", size, name)
			}
			form, _, _ := strings.Cut(name, " ")
			if form == "base64url" {
				form = "base64"
			}
			for f := range r.Forms("needle") {
				if f.String() != form {
					t.Errorf("%d octets, %s: found as %v", size, name, f)
				}
			}
		}
	}
}

// TestFindsAcrossBorders plants a needle at every place around the border of
// the buffer that files are read into.
func TestFindsAcrossBorders(t *testing.T) {
	n := random(16)
	s := newScanner(t, audit.Needle{Kind: "needle", Octets: n})
	for _, planted := range [][]byte{n, []byte(hex.EncodeToString(n))} {
		for _, border := range []int{audit.BufferSize, audit.BufferSize + s.Longest()} {
			file := random(border + 300)
			for at := border - len(planted) - 2; at < border+2; at++ {
				noise := slices.Clone(file[at : at+len(planted)])
				copy(file[at:], planted)
				r := s.Report("file")
				if err := r.File(t.Context(), bytes.NewReader(file)); err != nil {
					t.Fatal(err)
				}
				if found, hits := r.Found("needle"); found != 1 || hits.Files != 1 || r.Files.Octets != uint64(len(file)) {
					t.Fatalf("at %d: found %d, %+v", at, found, hits)
				}
				copy(file[at:], noise)
			}
		}
	}
}

// TestFindsNothingElse: neither noise nor what is nearly a needle is one.
func TestFindsNothingElse(t *testing.T) {
	var needles []audit.Needle
	for range 1000 {
		needles = append(needles, audit.Needle{Kind: "needle", Octets: random(8 + len(needles)%25)})
	}
	s := newScanner(t, needles...)
	r := s.Report("noise")
	for range 4 {
		noise := random(1 << 20)
		if err := r.File(t.Context(), bytes.NewReader(noise)); err != nil {
			t.Fatal(err)
		}
		r.Record(noise)
		r.Record([]byte(hex.EncodeToString(noise)))
	}
	for _, n := range needles {
		for i := range n.Octets {
			near := slices.Clone(n.Octets)
			near[i] ^= 1
			r.Record(near)
		}
		r.Record(n.Octets[1:])
		r.Record(n.Octets[:len(n.Octets)-1])
		r.Record(n.Octets[:4], n.Octets[4:]) // in two parts
	}
	if found, hits := r.Found("needle"); found != 0 {
		t.Fatalf("found %d, %+v", found, hits)
	}
	if got := r.Together(); got != nil {
		t.Fatalf("together: %+v", got)
	}
}

func TestNeedlesAreRefused(t *testing.T) {
	var many []audit.Needle
	for i := range audit.MaxKinds + 1 {
		many = append(many, audit.Needle{Kind: audit.Kind(fmt.Sprint(i)), Octets: random(8)})
	}
	for name, needles := range map[string][]audit.Needle{
		"short": {{"k", random(7)}}, "long": {{"k", random(audit.MaxNeedle + 1)}}, "of no kind": {{"", random(8)}},
		"plain": {{"k", bytes.Repeat([]byte("ab"), 8)}}, "of too many kinds": many,
	} {
		if _, err := audit.New(needles); !errors.Is(err, audit.ErrNeedle) {
			t.Errorf("needles %s: %v", name, err)
		}
	}
	if _, err := audit.New(many[1:]); err != nil {
		t.Error(err)
	}
	r := newScanner(t).Report("nothing to look for")
	if err := r.File(t.Context(), bytes.NewReader(random(3<<20))); err != nil {
		t.Error(err)
	}
}

// TestWhatStandsTogether: which kinds are linked by a record, and which needles
// by standing in two places.
func TestWhatStandsTogether(t *testing.T) {
	alice, bob, one, two := random(16), random(16), random(32), random(32)
	s := newScanner(t, audit.Needle{"pseudonym", alice}, audit.Needle{"pseudonym", bob}, audit.Needle{"queue", one}, audit.Needle{"queue", two}, audit.Needle{"queue", two})
	a, b := s.Report("a"), s.Report("b")
	a.Record(alice, one)
	a.Record(alice, alice, bob)
	a.Record(bob)
	a.Record(slices.Concat(bob, []byte("; queue="), []byte(hex.EncodeToString(one))))
	b.Record(one)
	b.Record(two)
	if got := fmt.Sprintf("%v", a.Together()); got != "[{[pseudonym queue] [] 2} {[pseudonym] [pseudonym] 1}]" {
		t.Errorf("together: %s", got)
	}
	for _, c := range []struct {
		a, b audit.Kind
		want uint64
	}{{"pseudonym", "queue", 2}, {"queue", "pseudonym", 2}, {"pseudonym", "pseudonym", 1}, {"queue", "queue", 0}, {"queue", "none", 0}} {
		if got := a.Linked(c.a, c.b); got != c.want {
			t.Errorf("%s and %s are linked %d times, want %d", c.a, c.b, got, c.want)
		}
	}
	if got := fmt.Sprint(audit.Shared(a, b)); got != "map[queue:1]" {
		t.Errorf("shared: %s", got)
	}
	if n, hits := a.Found("pseudonym"); n != 2 || hits.Records != 6 {
		t.Errorf("found %d, %+v", n, hits)
	}
}

// TestLines: each line is a record, and a long one is looked through.
func TestLines(t *testing.T) {
	name, address := []byte("alice@example.org"), []byte("192.0.2.17:40000")
	s := newScanner(t, audit.Needle{"identity", name}, audit.Needle{"address", address})
	r := s.Report("log")
	text := fmt.Sprintf("start\nconnect %s\nuser %s\nboth %s %s\n%s%s", address, name, name, address, strings.Repeat("x", 3<<20), name)
	if err := r.Lines(t.Context(), iotest.HalfReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v", r.Together()); got != "[{[identity address] [] 1}]" {
		t.Errorf("together: %s", got)
	}
	if n, hits := r.Found("identity"); n != 1 || hits.Records != 3 {
		t.Errorf("found %d, %+v", n, hits)
	}
	failure := errors.New("failure")
	if err := r.Lines(t.Context(), iotest.ErrReader(failure)); !errors.Is(err, failure) {
		t.Errorf("a reader that fails: %v", err)
	}
	if err := r.File(t.Context(), iotest.ErrReader(failure)); !errors.Is(err, failure) {
		t.Errorf("a file that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := errors.Join(r.Lines(ctx, strings.NewReader("x")), r.File(ctx, strings.NewReader("x"))); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestStores: keys, values and what was deleted but is still in the files. Of an
// encrypted database the key shows them, and the files do not.
func TestStores(t *testing.T) {
	t.Run("clear", func(t *testing.T) { testStores(t, secret.Bytes{}) })
	t.Run("encrypted", func(t *testing.T) { testStores(t, secret.New(random(badger.KeySize))) })
}

func testStores(t *testing.T, key secret.Bytes) {
	root := t.TempDir()
	cfg := badger.Config{Dir: filepath.Join(root, "db"), Format: badger.Format{Name: "test", Version: 1}, Key: key, MinFree: 1}
	db, err := badger.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	inKey, inValue, deleted, absent := random(16), random(16), random(16), random(16)
	put := func(f func(tx *badger.Tx)) {
		t.Helper()
		if err := db.Submit(context.Background(), func(tx *badger.Tx) error { f(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	gone := append([]byte("k"), deleted...)
	put(func(tx *badger.Tx) {
		for n := range byte(100) { // so that the table leaves out the beginning of the key
			tx.Put(append(append([]byte("k"), inKey...), n), []byte("value"))
		}
		tx.Put(append([]byte("k"), inKey...), inValue)
		tx.Put(gone, []byte("value"))
	})
	// What is deleted at once never gets into the tables.
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = badger.Open(cfg); err != nil {
		t.Fatal(err)
	}
	put(func(tx *badger.Tx) { tx.Delete(gone) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := newScanner(t, audit.Needle{"key", inKey}, audit.Needle{"value", inValue}, audit.Needle{"deleted", deleted}, audit.Needle{"absent", absent})
	r := s.Report("store")
	if err := r.Stores(t.Context(), root); key.IsZero() != (err == nil) || err != nil && !errors.Is(err, badger.ErrEncryption) {
		t.Fatalf("without a key: %v", err)
	}
	if !key.IsZero() {
		r = s.Report("store")
		r.StorageKey = key
		if err := r.Stores(t.Context(), root); err != nil {
			t.Fatal(err)
		}
	}
	for kind, want := range map[audit.Kind]int{"key": 1, "value": 1, "deleted": 1, "absent": 0} {
		if n, hits := r.Found(kind); n != want || want == 1 && hits.Records == 0 {
			t.Errorf("%s: found %d, %+v", kind, n, hits)
		}
	}
	if _, hits := r.Found("key"); hits.Records != 101 {
		t.Errorf("the key was found in %+v", hits)
	}
	if _, hits := r.Found("value"); (hits.Files > 0) != key.IsZero() {
		t.Errorf("the value was found in %+v", hits)
	}
	if r.Linked("key", "value") != 1 || r.Linked("deleted", "value") != 0 {
		t.Errorf("together: %+v", r.Together())
	}
	if err := r.Stores(t.Context(), filepath.Join(root, "none")); err == nil {
		t.Error("a directory that is not there passed")
	}
}

func TestWriteTable(t *testing.T) {
	alice, bob, queue := []byte("pseudonym alice"), []byte("pseudonym bob"), []byte("queue one")
	s := newScanner(t, audit.Needle{"pseudonym", alice}, audit.Needle{"pseudonym", bob}, audit.Needle{"queue", queue})
	ds, qs := s.Report("ds"), s.Report("qs")
	ds.Record([]byte("a record"))
	qs.Record(queue)
	qs.Record(queue, []byte(hex.EncodeToString(alice)), bob)
	if err := qs.File(t.Context(), bytes.NewReader(slices.Concat(make([]byte, 20<<10), queue))); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := audit.WriteTable(&out, ds, qs); err != nil {
		t.Fatal(err)
	}
	want := `                 known      ds         qs
      pseudonym      2       -          2
          queue      1       -          1
    files, size              -  1, 20 KiB
  records, size         1, 8 B    2, 61 B
ds shows:
  nothing
qs shows:
  pseudonym: raw 1 in records; hex 1 in records
  queue: raw 1 in files, 2 in records
  in one record: several of pseudonym, queue (1 records)
in more than one place: nothing
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	ds.Record(queue)
	out.Reset()
	if err := audit.WriteTable(&out, ds, qs); err != nil || !strings.Contains(out.String(), "in more than one place: 1 of kind queue\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := audit.WriteTable(failing{}, ds); err == nil {
		t.Error("a writer that fails passed")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// BenchmarkFile looks for needles in noise.
func BenchmarkFile(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n, " needles"), func(b *testing.B) {
			var needles []audit.Needle
			for range n {
				needles = append(needles, audit.Needle{Kind: "needle", Octets: random(16)})
			}
			r := newScanner(b, needles...).Report("noise")
			noise := random(16 << 20)
			b.SetBytes(int64(len(noise)))
			for b.Loop() {
				if err := r.File(b.Context(), bytes.NewReader(noise)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
