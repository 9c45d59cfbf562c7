package backup_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/storage/backup"
)

func TestManifestIsStrict(t *testing.T) {
	for _, m := range []backup.Manifest{full, {Format: "f", Base: backup.Digest{1}}} {
		b, err := backup.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := backup.Reparse(b); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("changes on the way: %v", err)
		}
		for n := range b {
			if _, err := backup.Reparse(b[:n]); !errors.Is(err, backup.ErrMalformed) {
				t.Fatalf("prefix of %d octets: %v", n, err)
			}
		}
		if _, err := backup.Reparse(append(b, 0)); !errors.Is(err, backup.ErrMalformed) {
			t.Fatalf("an octet more: %v", err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	for _, m := range []backup.Manifest{full, {Format: "f", Base: backup.Digest{1}}} {
		b, err := backup.Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := backup.Reparse(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("%x is read, and written as %x", b, again)
		}
		if err != nil && !errors.Is(err, backup.ErrMalformed) {
			t.Error(err)
		}
	})
}

func FuzzVerify(f *testing.F) {
	b, _ := write(f, full, "a=1", "b=2")
	f.Add(b)
	increment := full
	increment.Base = backup.Digest{1}
	b, _ = write(f, increment, "a", "b=2")
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := backup.Verify(bytes.NewReader(b))
		if err != nil && !errors.Is(err, backup.ErrMalformed) && !errors.Is(err, backup.ErrTruncated) && !errors.Is(err, backup.ErrDamaged) {
			t.Error(err)
		}
	})
}

// FuzzItems reads chunks whose digests fit, whatever is in them.
func FuzzItems(f *testing.F) {
	f.Add([]byte("\x01\x00\x01k\x00\x00\x00\x01v\x02fffffff!"))
	f.Add([]byte("\x01\x00\x01k\xff\xff\xff\xffv"))
	increment := full
	increment.Base = backup.Digest{1}
	f.Fuzz(func(t *testing.T, items []byte) {
		if len(items) > 1<<20 {
			return
		}
		for _, m := range []backup.Manifest{full, increment} {
			_, err := backup.Verify(bytes.NewReader(backup.WithChunk(m, items)))
			if len(items) > 0 && !errors.Is(err, backup.ErrMalformed) { // the counts at the end are 0
				t.Errorf("%x: %v", items, err)
			}
		}
	})
}
