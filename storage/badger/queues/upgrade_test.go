package queues_test

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/badgertest"
	"github.com/pseudods/pseudods/storage/badger/queues"
	"github.com/pseudods/pseudods/storage/storagetest"
)

// version1 returns a directory with a store that a program of format version 1
// wrote. Queue 1 has 190 entries of 200 left, of days 20000, 20001 and 20002 and of
// three segments that begin with entries 70, 140 and 1; queue 2 has none left of 3,
// and queue 3 never had one but a revoked mark.
func version1(t *testing.T) string {
	t.Helper()
	z, err := zip.OpenReader("testdata/queues-1.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := filepath.Join(t.TempDir(), "db")
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	return dir
}

// upgradedWell reads all that the fixture has, and goes on with it.
func upgradedWell(t *testing.T, dir string) {
	t.Helper()
	badgertest.Fsck(t, dir, queues.Format, queues.Check, nil)
	db, err := badger.Open(badger.Config{Dir: dir, Format: queues.Format, MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := queues.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	add := func(queue byte, number uint64) {
		t.Helper()
		out, err := s.Append(t.Context(), 20002, []qs.Append{{Queue: wire.QueueID{queue}, Mark: qs.Mark{1}, Number: number,
			Segment: wire.SegmentID{3}, KEMOutput: []byte("output 3"), Counter: uint32(number), Ciphertext: fmt.Appendf(nil, "entry %d", number)}})
		if err != nil || out[0].Outcome != wire.Delivered || !out[0].Fresh {
			t.Fatalf("append: %+v, %v", out, err)
		}
	}
	for n := uint64(201); n <= 300; n++ {
		add(1, n)
	}
	add(2, 4)
	for queue, from := range map[byte]uint64{1: 11, 2: 4} {
		segments := map[uint64]string{}
		next := from
		for empty := false; !empty; {
			p, err := s.ReadQueue(t.Context(), wire.QueueID{queue}, 20002, next-1, 60)
			if err != nil {
				t.Fatal(err)
			}
			for _, segment := range p.Segments {
				segments[segment.Start] = string(segment.KEMOutput)
			}
			for _, e := range p.Entries {
				if want := fmt.Sprint("entry ", next); e.Seq != next || string(e.Ciphertext) != want || e.Counter != uint32(next) {
					t.Fatalf("entry %d %q, want %q", e.Seq, e.Ciphertext, want)
				}
				if queue == 1 && segments[e.Segment] != fmt.Sprint("output ", 1+min(next, 200)/70) {
					t.Fatalf("entry %d is of segment %q", e.Seq, segments[e.Segment])
				}
				next++
			}
			empty = p.Empty
		}
		if last := map[byte]uint64{1: 300, 2: 4}[queue]; next != last+1 {
			t.Errorf("queue %d ends with entry %d, want %d", queue, next-1, last)
		}
		if err := s.AckQueue(t.Context(), wire.QueueID{queue}, 20002, next-1); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.Append(t.Context(), 20002, []qs.Append{{Queue: wire.QueueID{3}, Mark: qs.Mark{9}, Number: 1, Segment: wire.SegmentID{1}}})
	if err != nil || out[0].Outcome != wire.Revoked {
		t.Errorf("a revoked mark: %+v, %v", out, err)
	}
	if p, err := s.Payload(t.Context(), wire.PayloadID{0, 0, 0x4e, 0x40}); err != nil || string(p) != "payload" {
		t.Errorf("payload %q, %v", p, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	badgertest.Fsck(t, dir, queues.Format, queues.Check, nil)
}

func TestUpgrade(t *testing.T) {
	dir := version1(t)
	cfg := badger.Config{Dir: dir, Format: queues.Format, MinFree: 1}
	if _, err := badger.Open(cfg); !errors.Is(err, badger.ErrOutdated) || !errors.Is(err, badger.ErrFormat) {
		t.Fatalf("an old version: %v", err)
	}
	if _, err := badger.Upgrade(t.Context(), cfg, nil); !errors.Is(err, badger.ErrFormat) || errors.Is(err, badger.ErrOutdated) {
		t.Fatalf("without a step: %v", err)
	}
	older, newer := cfg, cfg
	older.Format.Version, newer.Format.Version = 0, 1
	if _, err := badger.Upgrade(t.Context(), older, queues.Upgrades); !errors.Is(err, badger.ErrFormat) {
		t.Errorf("to an older version: %v", err)
	}
	if from, err := badger.Upgrade(t.Context(), newer, queues.Upgrades); err != nil || from != 1 {
		t.Errorf("to the same version: from %d, %v", from, err)
	}
	for _, want := range []uint32{1, 2} {
		if from, err := badger.Upgrade(t.Context(), cfg, queues.Upgrades); err != nil || from != want {
			t.Fatalf("from %d, %v", from, err)
		}
	}
	upgradedWell(t, dir)
}

var errCut = errors.New("cut short")

// TestUpgradeCutShort fails the disk at each batch of an upgrade, before it is
// written and after, goes on with the files as a crash leaves them, and fails it
// again at the next.
func TestUpgradeCutShort(t *testing.T) {
	for _, step := range []badger.Step{badger.StepPersist, badger.StepAnswer} {
		dir, crashes := version1(t), 0
		for ended := false; !ended; {
			if crashes > 100 {
				t.Fatal("an upgrade does not get on")
			}
			seen := 0
			cfg := badger.Config{Dir: dir, Format: queues.Format, MinFree: 1, Fault: func(at badger.Step) error {
				if at == step {
					// Each attempt gets one batch further, so that none is missed.
					if seen++; seen > crashes {
						return errCut
					}
				}
				return nil
			}}
			_, err := badger.Upgrade(context.WithoutCancel(t.Context()), cfg, queues.Upgrades)
			if ended = err == nil; !ended {
				crashes++
				to := filepath.Join(t.TempDir(), "copy")
				if err := storagetest.CopyLive(dir, to); err != nil {
					t.Fatal(err)
				}
				dir = to
			}
		}
		if crashes < 3 {
			t.Errorf("%d crashes", crashes)
		}
		upgradedWell(t, dir)
	}
}
