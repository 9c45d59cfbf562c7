package allowances_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/storetest"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/allowances"
)

// opened is a store with what it takes to open it again.
type opened struct {
	*allowances.Store
	db  *badger.DB
	dir string
}

func open(t testing.TB, dir string, fault func(badger.Step) error) opened {
	t.Helper()
	db, err := badger.Open(badger.Config{Dir: dir, Format: allowances.Format, Fault: fault})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return opened{allowances.New(db), db, dir}
}

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Driver{
		Open: func(t *testing.T) attester.Store {
			o := open(t, t.TempDir(), nil)
			t.Cleanup(func() {
				o.db.Close()
				if !t.Failed() {
					fsck(t, o.dir, nil)
				}
			})
			return o
		},
		Reopen: func(t *testing.T, s attester.Store) attester.Store {
			o := s.(opened)
			if err := o.db.Close(); err != nil {
				t.Fatal(err)
			}
			fsck(t, o.dir, nil)
			return open(t, o.dir, nil)
		},
	})
}

// TestCrashWhileCharging fails the disk at each step of a charge. The caller
// gets no reply to release; after reopening, the charge is there with its reply
// or not at all, and repeating the request charges once.
func TestCrashWhileCharging(t *testing.T) {
	ctx := context.Background()
	account, slot := attester.Account{1}, attester.Slot{Class: "send", Epoch: 3}
	charge := attester.Charge{Slot: slot, Request: attester.Digest{1}, Tokens: 6, Limit: 10, Reply: []byte("reply")}
	for step, kept := range map[badger.Step]bool{badger.StepPersist: false, badger.StepAnswer: true} {
		var armed atomic.Bool
		s := open(t, t.TempDir(), func(s badger.Step) error {
			if s == step && armed.Load() {
				return errors.New("disk gone")
			}
			return nil
		})
		armed.Store(true)
		if reply, err := s.Charge(ctx, account, charge); !errors.Is(err, badger.ErrAmbiguous) || reply != nil {
			t.Fatalf("step %d: a failing disk gave %q, %v", step, reply, err)
		}
		s.db.Close()
		fsck(t, s.dir, nil)
		s = open(t, s.dir, nil)
		v, err := s.Look(ctx, account, slot, charge.Request)
		if err != nil || (v.Reply != nil) != kept || (v.Spent == 6) != kept || v.Standing.Seen != kept {
			t.Fatalf("step %d: found %+v, %v", step, v, err)
		}
		again := charge
		again.Reply = []byte("other")
		want := again.Reply
		if kept {
			want = charge.Reply
		}
		if reply, err := s.Charge(ctx, account, again); err != nil || !bytes.Equal(reply, want) {
			t.Fatalf("step %d: repetition got %q, %v", step, reply, err)
		}
		if v, err = s.Look(ctx, account, slot, charge.Request); err != nil || v.Spent != 6 {
			t.Fatalf("step %d: spent %d, %v", step, v.Spent, err)
		}
	}
}

// TestCrashWhileDropping interrupts a drop at its last step and checks that the
// next one finishes it.
func TestCrashWhileDropping(t *testing.T) {
	ctx := context.Background()
	account := attester.Account{1}
	for _, step := range []badger.Step{badger.StepDrop, badger.StepDropped} {
		var armed atomic.Bool
		s := open(t, t.TempDir(), func(s badger.Step) error {
			if s == step && armed.Load() {
				return errors.New("disk gone")
			}
			return nil
		})
		charge := attester.Charge{Slot: attester.Slot{Class: "send", Epoch: 3}, Tokens: 1, Limit: 1, Reply: []byte("reply")}
		if _, err := s.Charge(ctx, account, charge); err != nil {
			t.Fatal(err)
		}
		armed.Store(true)
		if err := s.DropBefore(ctx, 4); err == nil {
			t.Fatal("a drop on a failing disk succeeded")
		}
		s.db.Close()
		fsck(t, s.dir, nil)
		s = open(t, s.dir, nil)
		charge.Request = attester.Digest{2}
		if _, err := s.Charge(ctx, account, charge); !errors.Is(err, attester.ErrPast) {
			t.Fatalf("step %d: a half-dropped epoch takes charges: %v", step, err)
		}
		if err := s.DropBefore(ctx, 4); err != nil {
			t.Fatal(err)
		}
		if left, _, err := s.db.Scan([]byte("c"), nil, 0); err != nil || len(left) > 0 {
			t.Errorf("step %d: %d charges left, %v", step, len(left), err)
		}
		if left, _, err := s.db.Scan([]byte("e"), nil, 0); err != nil || len(left) > 0 {
			t.Errorf("step %d: %d epochs left, %v", step, len(left), err)
		}
	}
}

func TestCorruptRecords(t *testing.T) {
	ctx := context.Background()
	account, slot := attester.Account{1}, attester.Slot{Class: "send", Epoch: 3}
	charge := attester.Charge{Slot: slot, Tokens: 1, Limit: 9, Reply: []byte("reply")}
	for _, prefix := range []string{"s", "c\x00\x00\x00\x00\x00\x00\x00\x03" + string(account[:]) + "s"} {
		s := open(t, t.TempDir(), nil)
		if _, err := s.Charge(ctx, account, charge); err != nil {
			t.Fatal(err)
		}
		records, _, err := s.db.Scan([]byte(prefix), nil, 0)
		if err != nil || len(records) != 1 {
			t.Fatalf("prefix %q: %d records, %v", prefix, len(records), err)
		}
		for _, bad := range [][]byte{{}, records[0].Value[1:], append([]byte{7}, records[0].Value...)} {
			if err := s.db.Submit(ctx, func(tx *badger.Tx) error { tx.Put(records[0].Key, bad); return nil }); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Look(ctx, account, slot, attester.Digest{9}); !errors.Is(err, allowances.ErrCorrupt) {
				t.Errorf("prefix %q value %x: look gave %v", prefix, bad, err)
			}
			other := charge
			other.Request = attester.Digest{9}
			if _, err := s.Charge(ctx, account, other); !errors.Is(err, allowances.ErrCorrupt) {
				t.Errorf("prefix %q value %x: charge gave %v", prefix, bad, err)
			}
		}
	}
}
