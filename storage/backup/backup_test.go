package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pseudods/pseudods/storage/backup"
)

var full = backup.Manifest{Format: "test", Version: 3, Lineage: backup.Lineage{1}, Batch: 7, Position: 9, Restores: 2,
	Fenced: true, Fence: [16]byte{5}, Note: []byte("note")}

// write writes a backup of items "key=value", or "key" for one that is kept.
func write(t testing.TB, m backup.Manifest, items ...string) ([]byte, *backup.Backup) {
	t.Helper()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, m)
	for _, i := range items {
		if err == nil {
			if key, value, ok := strings.Cut(i, "="); ok {
				err = w.Record([]byte(key), []byte(value))
			} else {
				err = w.Keep([]byte(key))
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	sum, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), sum
}

func read(r io.Reader, base backup.Digest, kept ...string) (items []string, sum *backup.Backup, err error) {
	in, err := backup.NewReader(r)
	if err != nil {
		return nil, nil, err
	}
	for {
		i, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return items, in.Backup(), nil
		case err != nil:
			return items, nil, err
		case i.Kept:
			for _, k := range kept {
				if backup.Fingerprint(base, []byte(k)) == i.Fingerprint {
					items = append(items, k)
				}
			}
		default:
			items = append(items, string(i.Key)+"="+string(i.Value))
		}
	}
}

func TestRoundTrip(t *testing.T) {
	large := "large=" + strings.Repeat("x", backup.MaxRecord-len("large"))
	increment := full
	increment.Base, increment.Batch = backup.Digest{4}, 8
	increment.Fenced, increment.Fence, increment.Note = false, [16]byte{}, nil
	for _, c := range []struct {
		m     backup.Manifest
		items []string
	}{
		{full, nil},
		{full, []string{"a=", "b=1", large, "m=2"}},
		{increment, []string{"a", "b=1", "c", "d", large}},
	} {
		b, written := write(t, c.m, c.items...)
		got, sum, err := read(iotest.OneByteReader(bytes.NewReader(b)), c.m.Base, "a", "c", "d")
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.items) {
			t.Fatalf("got %d items of %d, %v", len(got), len(c.items), err)
		}
		if fmt.Sprintf("%+v", sum) != fmt.Sprintf("%+v", written) || int(sum.Records+sum.Kept) != len(c.items) || sum.Format != "test" {
			t.Fatalf("read %+v, wrote %+v", sum, written)
		}
		if err := iotest.TestReader(bytes.NewReader(b), b); err != nil {
			t.Fatal(err)
		}
	}
	// Many items, so that there are many chunks.
	var items []string
	for i := range 20000 {
		items = append(items, fmt.Sprintf("%08d=%0100d", i, i))
	}
	b, _ := write(t, full, items...)
	if got, _, err := read(bytes.NewReader(b), backup.Digest{}); err != nil || len(got) != len(items) || got[19999] != items[19999] {
		t.Fatalf("got %d items, %v", len(got), err)
	}
}

// TestOnlyWhatWasWrittenIsRead: no prefix, no changed octet and no appended one
// passes, and nothing is given out of a chunk that is not as written.
func TestOnlyWhatWasWrittenIsRead(t *testing.T) {
	b, _ := write(t, full, "a=1", "b=2")
	for n := range b {
		if _, err := backup.Verify(bytes.NewReader(b[:n])); !errors.Is(err, backup.ErrTruncated) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
		bad := bytes.Clone(b)
		bad[n] ^= 1
		items, _, err := read(bytes.NewReader(bad), backup.Digest{})
		if !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrMalformed) && !errors.Is(err, backup.ErrTruncated) {
			t.Fatalf("octet %d changed: %v", n, err)
		}
		if len(items) > 0 && fmt.Sprint(items) != "[a=1 b=2]" {
			t.Fatalf("octet %d changed: read %q", n, items)
		}
	}
	if _, err := backup.Verify(bytes.NewReader(append(b, 0))); !errors.Is(err, backup.ErrMalformed) {
		t.Fatalf("an octet more: %v", err)
	}
	failure := errors.New("failure")
	if _, err := backup.Verify(io.MultiReader(bytes.NewReader(b[:40]), iotest.ErrReader(failure))); !errors.Is(err, failure) {
		t.Fatalf("a reader that fails: %v", err)
	}
}

// TestChunksDoNotMove: chunks left out, swapped or taken from another backup.
func TestChunksDoNotMove(t *testing.T) {
	value := strings.Repeat("x", 300<<10)
	b, _ := write(t, full, "a="+value, "b="+value, "c="+value)
	other := full
	other.Batch++
	o, _ := write(t, other, "a="+value, "b="+value, "c="+value)
	size := 4 + 1 + 2 + 1 + 4 + len(value) + 32
	head := len(b) - 3*size - (4 + 24 + 32)
	chunk := func(b []byte, n int) []byte { return b[head+n*size : head+(n+1)*size] }
	end := b[head+3*size:]
	if got := bytes.Join([][]byte{b[:head], chunk(b, 0), chunk(b, 1), chunk(b, 2), end}, nil); !bytes.Equal(got, b) {
		t.Fatal("the chunks are not where they are looked for")
	}
	for name, parts := range map[string][][]byte{
		"left out": {b[:head], chunk(b, 0), chunk(b, 2), end},
		"swapped":  {b[:head], chunk(b, 1), chunk(b, 0), chunk(b, 2), end},
		"twice":    {b[:head], chunk(b, 0), chunk(b, 0), chunk(b, 1), chunk(b, 2), end},
		"foreign":  {b[:head], chunk(b, 0), chunk(o, 1), chunk(b, 2), end},
		"end":      {b[:head], chunk(b, 0), chunk(b, 1), end},
	} {
		if _, err := backup.Verify(bytes.NewReader(bytes.Join(parts, nil))); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusedItems(t *testing.T) {
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, full)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", strings.Repeat("k", 1<<16)} {
		if err := w.Record([]byte(key), nil); err == nil {
			t.Errorf("a key of %d octets was taken", len(key))
		}
	}
	if err := w.Record([]byte("k"), make([]byte, backup.MaxRecord)); err == nil {
		t.Error("too large a record was taken")
	}
	for _, items := range [][]string{{"b=1", "a=2"}, {"a=1", "a=1"}, {"a"}} { // out of order, twice, kept in a full one
		b, _ := write(t, full, items...)
		if _, err := backup.Verify(bytes.NewReader(b)); !errors.Is(err, backup.ErrMalformed) {
			t.Errorf("items %q: %v", items, err)
		}
	}
	for _, m := range []backup.Manifest{{}, {Format: strings.Repeat("f", 65)}, {Format: "f", Note: []byte("n")}, {Format: "f", Fenced: true, Note: make([]byte, backup.MaxNote+1)}} {
		if _, err := backup.NewWriter(&out, m); err == nil {
			t.Errorf("a manifest with format %q was taken", m.Format)
		}
	}
	failure := errors.New("failure")
	if _, err := backup.NewWriter(failing{failure}, full); !errors.Is(err, failure) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestFollows(t *testing.T) {
	_, first := write(t, full, "a=1")
	next := full
	next.Base, next.Batch = first.Digest, 8
	if err := next.Follows(first); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(m *backup.Manifest){
		"base":     func(m *backup.Manifest) { m.Base[0] ^= 1 },
		"lineage":  func(m *backup.Manifest) { m.Lineage[0] ^= 1 },
		"batch":    func(m *backup.Manifest) { m.Batch = 6 },
		"position": func(m *backup.Manifest) { m.Position = 8 },
	} {
		m := next
		change(&m)
		if err := m.Follows(first); !errors.Is(err, backup.ErrChain) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	failure := errors.New("failure")
	if err := backup.WriteFile(path, func(w io.Writer) error { w.Write([]byte("half")); return failure }); !errors.Is(err, failure) {
		t.Fatalf("a failed write: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Fatalf("%d files are left, %v", len(left), err)
	}
	whole := func(w io.Writer) error { _, err := w.Write([]byte("whole")); return err }
	if err := backup.WriteFile(path, whole); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 5 {
		t.Fatalf("%v, %v", info, err)
	}
	if err := backup.WriteFile(path, whole); !errors.Is(err, os.ErrExist) {
		t.Fatalf("a file that is there: %v", err)
	}
}
