package fence_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/storage/fence"
)

func slot(t testing.TB, seq uint64, note string) []byte {
	t.Helper()
	b, err := (&fence.State{ID: [16]byte{1}, Seq: seq, Restores: 3, Note: []byte(note)}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAdvance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fence")
	if _, err := fence.Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	f, err := fence.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	id := f.ID
	for seq := range uint64(5) {
		f.Note = append(f.Note, 'n')
		if err := f.Advance(seq); err != nil {
			t.Fatal(err)
		}
		again, err := fence.Open(path)
		if err != nil || again.ID != id || again.Seq != seq || len(again.Note) != int(seq)+1 {
			t.Fatalf("after %d: %+v, %v", seq, again, err)
		}
		again.Close()
	}
	f.Note = make([]byte, fence.MaxNote+1)
	if err := f.Advance(9); !errors.Is(err, fence.ErrNote) {
		t.Fatalf("a note over the limit: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fence.Open(path); !errors.Is(err, fence.Err) {
		t.Fatalf("another file: %v", err)
	}
}

// TestTornSlot damages the newest slot, as a power failure can: the one before
// it still counts.
func TestTornSlot(t *testing.T) {
	b := append(slot(t, 7, "note"), slot(t, 8, "note")...)
	for seq, damage := range map[uint64]int{8: 0, 7: fence.SlotSize} {
		torn := bytes.Clone(b)
		torn[damage+100] ^= 1
		if got, err := fence.Parse(torn); err != nil || got.Seq != seq {
			t.Fatalf("got %d, %v; want %d", got.Seq, err, seq)
		}
	}
	if _, err := fence.Parse(make([]byte, len(b))); !errors.Is(err, fence.Err) {
		t.Fatalf("no slot is valid: %v", err)
	}
}

// TestSlotIsStrict refuses every strict prefix and one octet more.
func TestSlotIsStrict(t *testing.T) {
	b := slot(t, 1, "note")
	if _, err := fence.ParseSlot(b); err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := fence.ParseSlot(b[:n]); err == nil {
			t.Fatalf("a prefix of %d octets was taken", n)
		}
	}
	if _, err := fence.ParseSlot(append(b, 0)); err == nil {
		t.Fatal("a trailing octet was taken")
	}
}

func FuzzSlot(f *testing.F) {
	f.Add(slot(f, 1, "note"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := fence.ParseSlot(b)
		if err != nil {
			return
		}
		if again, err := s.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read %x, wrote %x", b, again)
		}
	})
}
