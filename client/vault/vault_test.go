package vault_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/seal"
)

func newKey() secret.Bytes {
	b := make([]byte, vault.KeySize)
	rand.Read(b)
	return secret.New(b)
}

type rig struct {
	*testing.T
	dir string
	key secret.Bytes
}

func newRig(t *testing.T) *rig { return &rig{t, filepath.Join(t.TempDir(), "vault"), newKey()} }

func (r *rig) open() *vault.Vault {
	r.Helper()
	v, err := vault.Open(r.dir, r.key)
	r.must(err)
	r.Cleanup(func() { v.Close() })
	return v
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) want(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Fatalf("got error %v, want %v", err, want)
	}
}

func (r *rig) wantRecord(v *vault.Vault, name, content string) {
	r.Helper()
	b, err := v.Get(name)
	r.must(err)
	if string(b) != content {
		r.Fatalf("record holds %d octets, want %d others", len(b), len(content))
	}
}

// files returns the names of the files of records.
func (r *rig) files() (out []string) {
	r.Helper()
	all, err := os.ReadDir(r.dir)
	r.must(err)
	for _, f := range all {
		if strings.HasPrefix(f.Name(), "r-") {
			out = append(out, f.Name())
		}
	}
	return out
}

func TestRecordsSurviveReopening(t *testing.T) {
	r := newRig(t)
	v := r.open()
	_, err := v.Get("a/1")
	r.want(err, vault.ErrNotFound)
	long := strings.Repeat("x", 100_000)
	r.must(v.Put("a/1", []byte("one")))
	r.must(v.Put("a/2", nil))
	r.must(v.Put("b", []byte(long)))
	r.must(v.Put("a/1", []byte("uno")))
	r.must(v.Put(strings.Repeat("n", vault.MaxName), []byte("longest name")))
	r.must(v.Delete("none"))
	for range 2 {
		r.wantRecord(v, "a/1", "uno")
		r.wantRecord(v, "a/2", "")
		r.wantRecord(v, "b", long)
		r.wantRecord(v, strings.Repeat("n", vault.MaxName), "longest name")
		names, err := v.Names("a/")
		r.must(err)
		if !slices.Equal(names, []string{"a/1", "a/2"}) {
			t.Fatalf("names %q", names)
		}
		r.must(v.Close())
		v = r.open()
	}
	r.must(v.Delete("a/1"))
	_, err = v.Get("a/1")
	r.want(err, vault.ErrNotFound)
	r.must(v.Close())
	v = r.open()
	if names, err := v.Names(""); err != nil || len(names) != 3 {
		t.Fatalf("%d names after a deletion, %v", len(names), err)
	}
}

func TestKeyAndLock(t *testing.T) {
	r := newRig(t)
	v := r.open()
	_, err := vault.Open(r.dir, r.key)
	r.want(err, vault.ErrInUse)
	r.must(v.Close())
	r.must(v.Close())
	_, err = vault.Open(r.dir, newKey())
	r.want(err, vault.ErrVault)
	_, err = vault.Open(r.dir, secret.New(make([]byte, vault.KeySize-1)))
	r.want(err, vault.ErrVault)
	r.want(v.Put("a", nil), vault.ErrClosed)
	r.want(v.Delete("a"), vault.ErrClosed)
	_, err = v.Get("a")
	r.want(err, vault.ErrClosed)
	_, err = v.Names("")
	r.want(err, vault.ErrClosed)
	_, _, err = v.File("a")
	r.want(err, vault.ErrClosed)
	if r.key.Equal(secret.New(make([]byte, vault.KeySize))) {
		t.Fatal("closing wiped the caller's key")
	}
	r.open()
}

func TestBounds(t *testing.T) {
	r := newRig(t)
	v := r.open()
	for _, name := range []string{"", strings.Repeat("n", vault.MaxName+1)} {
		r.want(v.Put(name, nil), vault.ErrTooLarge)
		r.want(v.Delete(name), vault.ErrTooLarge)
		_, err := v.Get(name)
		r.want(err, vault.ErrTooLarge)
	}
	r.want(v.Put("a", make([]byte, vault.MaxRecord+1)), vault.ErrTooLarge)
}

// TestNothingIsLegible looks for names and contents in the files, and for sizes
// that tell more than their class.
func TestNothingIsLegible(t *testing.T) {
	r := newRig(t)
	v := r.open()
	r.must(v.Put("contact/alice", []byte("a text to look for")))
	r.must(v.Put("contact/bob", bytes.Repeat([]byte("z"), 200)))
	sizes := map[int]bool{}
	for _, f := range r.files() {
		b, err := os.ReadFile(filepath.Join(r.dir, f))
		r.must(err)
		sizes[len(b)] = true
		for _, text := range []string{"alice", "contact", "a text", strings.Repeat("z", 8)} {
			if bytes.Contains(b, []byte(text)) || strings.Contains(f, text) {
				t.Fatalf("%q is legible", text)
			}
		}
	}
	if len(sizes) != 1 {
		t.Fatalf("%d sizes for one class", len(sizes))
	}
}

// TestMovedAndDamagedRecords: what is changed on disk is noticed, here or when
// the record is read.
func TestMovedAndDamagedRecords(t *testing.T) {
	damage := map[string]func(r *rig, a, b string){
		"swapped":   func(r *rig, a, b string) { r.must(os.Rename(a, b)) },
		"empty":     func(r *rig, a, _ string) { r.must(os.WriteFile(a, nil, 0o600)) },
		"cut":       func(r *rig, a, _ string) { r.must(os.Truncate(a, 400)) },
		"magic":     func(r *rig, a, _ string) { r.flip(a, 0) },
		"name":      func(r *rig, a, _ string) { r.flip(a, 60) },
		"content":   func(r *rig, a, _ string) { r.flip(a, 500) },
		"last":      func(r *rig, a, _ string) { r.flip(a, -1) },
		"taken off": func(r *rig, a, _ string) { r.must(os.Remove(a)) },
	}
	for name, do := range damage {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			v := r.open()
			r.must(v.Put("a", []byte("one")))
			r.must(v.Put("b", []byte("two")))
			do(r, filepath.Join(r.dir, v.FileName("a")), filepath.Join(r.dir, v.FileName("b")))
			record := "a"
			if name == "swapped" {
				record = "b"
			}
			_, err := v.Get(record)
			r.want(err, vault.ErrVault)
			r.must(v.Close())
			again, err := vault.Open(r.dir, r.key)
			if err == nil {
				_, err = again.Get(record)
				again.Close()
			}
			if name == "taken off" {
				r.want(err, vault.ErrNotFound)
			} else {
				r.want(err, vault.ErrVault)
			}
		})
	}
}

func (r *rig) flip(path string, at int) {
	r.Helper()
	b, err := os.ReadFile(path)
	r.must(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	r.must(os.WriteFile(path, b, 0o600))
}

// TestCrash ends the program at each step of a change: the record is the old one
// or the new one, nothing half written stays, and the others are as before.
func TestCrash(t *testing.T) {
	crash := errors.New("the program ended")
	for _, first := range []bool{false, true} {
		for step := range vault.PutSteps {
			t.Run(fmt.Sprintf("put/first=%v/step=%d", first, step), func(t *testing.T) {
				r := newRig(t)
				v := r.open()
				r.must(v.Put("other", []byte("other")))
				if !first {
					r.must(v.Put("a", []byte("old")))
				}
				v.CrashAt(step, crash)
				r.want(v.Put("a", []byte("new")), crash)
				seen, errSeen := v.Get("a")
				r.must(v.Close())
				r.must(os.WriteFile(filepath.Join(r.dir, "r-00.new123"), []byte("half"), 0o600))
				v = r.open()
				got, err := v.Get("a")
				if string(got) != string(seen) || !errors.Is(err, errSeen) && errSeen != nil {
					t.Fatalf("%q and %v before, %q and %v after", seen, errSeen, got, err)
				}
				switch {
				case first && errors.Is(err, vault.ErrNotFound):
				case err == nil && (string(got) == "new" || !first && string(got) == "old"):
				default:
					t.Fatalf("%q, %v", got, err)
				}
				r.wantRecord(v, "other", "other")
				for _, f := range r.files() {
					if strings.Contains(f, ".new") {
						t.Fatal("a temporary file is left")
					}
				}
			})
		}
	}
	for step := range vault.DeleteSteps {
		t.Run(fmt.Sprintf("delete/step=%d", step), func(t *testing.T) {
			r := newRig(t)
			v := r.open()
			r.must(v.Put("a", []byte("old")))
			v.CrashAt(vault.PutSteps+step, crash)
			r.want(v.Delete("a"), crash)
			_, before := v.Get("a")
			r.must(v.Close())
			v = r.open()
			if _, err := v.Get("a"); !errors.Is(err, before) {
				t.Fatalf("%v before, %v after", before, err)
			}
			r.must(v.Delete("a"))
			_, err := v.Get("a")
			r.want(err, vault.ErrNotFound)
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	r := newRig(t)
	v := r.open()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := fmt.Sprint("record/", i)
			for n := range 5 {
				if err := v.Put(name, fmt.Append(nil, n)); err != nil {
					t.Error(err)
				}
				if b, err := v.Get(name); err != nil || string(b) != fmt.Sprint(n) {
					t.Errorf("read %q, %v", b, err)
				}
			}
		})
	}
	wg.Wait()
	if names, err := v.Names("record/"); err != nil || len(names) != 4 {
		t.Fatalf("%d names, %v", len(names), err)
	}
}

func TestFilesOfOthers(t *testing.T) {
	r := newRig(t)
	v := r.open()
	path, key, err := v.File("wallet/a")
	r.must(err)
	other, otherKey, err := v.File("wallet/b")
	r.must(err)
	if path == other || key.Equal(otherKey) || key.Len() != vault.KeySize || strings.Contains(path, "wallet") {
		t.Fatal("two files are one, or legible")
	}
	r.must(os.WriteFile(path, []byte("theirs"), 0o600))
	r.must(v.Close())
	v = r.open()
	again, againKey, err := v.File("wallet/a")
	r.must(err)
	b, err := os.ReadFile(again)
	if err != nil || string(b) != "theirs" || !againKey.Equal(key) {
		t.Fatalf("another file after reopening, %v", err)
	}
}

func TestFormat(t *testing.T) {
	key := newKey()
	b, err := vault.SealRecord(key, rand.Reader, "file", "name", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	name, content, err := vault.OpenRecord(key, "file", b)
	if err != nil || name != "name" || string(content) != "content" {
		t.Fatalf("%q, %q, %v", name, content, err)
	}
	for n := range b {
		if _, _, err := vault.OpenRecord(key, "file", b[:n]); !errors.Is(err, vault.ErrVault) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	for what, open := range map[string]func() error{
		"trailing octet": func() error { _, _, err := vault.OpenRecord(key, "file", append(bytes.Clone(b), 0)); return err },
		"other key":      func() error { _, _, err := vault.OpenRecord(newKey(), "file", b); return err },
		"other file":     func() error { _, _, err := vault.OpenRecord(key, "other", b); return err },
	} {
		if err := open(); !errors.Is(err, vault.ErrVault) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := vault.SealRecord(key, bytes.NewReader(make([]byte, 31)), "file", "name", nil); err == nil {
		t.Error("sealed without randomness")
	}
	if want := 16 + 32 + 256 + 16 + seal.PaddedSize(11) + 16; len(b) != want {
		t.Errorf("%d octets, want %d", len(b), want)
	}
}

func FuzzOpenRecord(f *testing.F) {
	key := secret.New(make([]byte, vault.KeySize))
	b, err := vault.SealRecord(key, bytes.NewReader(make([]byte, 32)), "file", "name", []byte("content"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:400])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := vault.OpenRecord(key, "file", b); err != nil && !errors.Is(err, vault.ErrVault) {
			t.Fatal(err)
		}
	})
}
