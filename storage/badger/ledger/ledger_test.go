package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

func testKey(t testing.TB, fill byte) tokens.NullifierKey {
	t.Helper()
	b := make([]byte, tokens.NullifierKeySize)
	b[0] = fill
	key, err := tokens.NewNullifierKey(secret.New(b))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// site is a directory with a ledger, and its fence beside.
type site struct {
	t      *testing.T
	cfg    ledger.Config
	open   *ledger.Ledger
	failAt atomic.Int32 // a badger.Step, or -1
}

var errDisk = errors.New("disk failed")

func newSite(t *testing.T) storagetest.LedgerSite {
	s := &site{t: t, cfg: ledger.Config{
		Dir:   filepath.Join(t.TempDir(), "db"),
		Fence: filepath.Join(t.TempDir(), "fence"),
		Key:   testKey(t, 1),
	}}
	s.cfg.Fault = func(step badger.Step) error {
		if int32(step) == s.failAt.Load() {
			return errDisk
		}
		return nil
	}
	return s
}

func (s *site) Open() (storagetest.Ledger, error) {
	s.failAt.Store(-1)
	var err error
	s.open, err = ledger.Open(s.cfg)
	return checked{s.open, s}, err
}

// checked checks what a ledger leaves when it is closed.
type checked struct {
	*ledger.Ledger
	site *site
}

func (l checked) Close() error {
	err := l.Ledger.Close()
	if !l.site.t.Failed() && l.site.open == l.Ledger {
		fsck(l.site.t, l.site.cfg, nil)
	}
	return err
}

// fsck checks a store and compares the findings.
func fsck(t testing.TB, cfg ledger.Config, want []badger.Finding) badger.Summary {
	t.Helper()
	db, err := badger.Open(badger.Config{Dir: cfg.Dir, Fence: cfg.Fence, Format: ledger.Format, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var got []badger.Finding
	summary, err := ledger.Check(context.Background(), db, func(f badger.Finding) { got = append(got, badger.Finding{Kind: f.Kind, Problem: f.Problem}) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("found %+v, want %+v", got, want)
	}
	return summary
}

// Crash copies the files of the open database, as a kill would leave them, and
// goes on with the copy.
func (s *site) Crash() error {
	restore, err := s.Copy()
	if err != nil {
		return err
	}
	if err := s.open.Close(); err != nil {
		return err
	}
	if err := restore(); err != nil {
		return err
	}
	fsck(s.t, ledger.Config{Dir: s.cfg.Dir}, nil)
	return nil
}

func (s *site) Copy() (restore func() error, err error) {
	to := filepath.Join(s.t.TempDir(), "copy")
	if err := storagetest.CopyLive(s.cfg.Dir, to); err != nil {
		return nil, err
	}
	return func() error {
		if err := os.RemoveAll(s.cfg.Dir); err != nil {
			return err
		}
		return os.Rename(to, s.cfg.Dir)
	}, nil
}

func (s *site) Steps() int    { return int(badger.StepDropped) + 1 }
func (s *site) Fail(step int) { s.failAt.Store(int32(step)) }

func TestINV04Conformance(t *testing.T) { storagetest.TestLedger(t, newSite) }

// TestWrongKeyIsRefused: under another key every spent token would be fresh.
func TestWrongKeyIsRefused(t *testing.T) {
	s := newSite(t).(*site)
	l, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s.cfg.Key = testKey(t, 2)
	if _, err := s.Open(); !errors.Is(err, tokens.ErrNullifierKey) {
		t.Fatalf("got %v", err)
	}
	s.cfg.Key = testKey(t, 1)
	if l, err = s.Open(); err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// TestINV04RestoredBackup: keys that were open, before the backup or after it, are
// closed for good, and without its fence the ledger is not opened at all.
func TestINV04RestoredBackup(t *testing.T) {
	s := newSite(t).(*site)
	l, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	before, after := storagetest.NewMint("before"), storagetest.NewMint("after")
	must(l.OpenEpoch(t.Context(), before.Epoch(10)))
	var copied bytes.Buffer
	_, err = s.open.Backup(t.Context(), &copied, nil)
	must(err)
	must(l.OpenEpoch(t.Context(), after.Epoch(10)))
	for _, m := range []*storagetest.Mint{before, after} {
		_, err := l.Spend(t.Context(), m.Nth(1), storagetest.Digest(1))
		must(err)
	}
	must(l.Close())
	for _, lost := range []bool{false, true} {
		at := s.cfg
		at.Dir = filepath.Join(t.TempDir(), "db")
		_, err := badger.Restore(t.Context(), badger.RestoreConfig{Dir: at.Dir, Format: ledger.Format, FenceLost: lost}, bytes.NewReader(copied.Bytes()))
		must(err)
		if lost {
			at.Fence = filepath.Join(t.TempDir(), "fence")
			if _, err := ledger.Open(at); !errors.Is(err, badger.ErrFence) {
				t.Fatalf("without its fence: %v", err)
			}
			continue
		}
		l, err := ledger.Open(at)
		must(err)
		for _, m := range []*storagetest.Mint{before, after} {
			if _, err := l.Spend(t.Context(), m.Nth(1), storagetest.Digest(2)); !errors.Is(err, tokens.ErrEpochFenced) {
				t.Errorf("a spent token after the restore: %v", err)
			}
			if err := l.OpenEpoch(t.Context(), m.Epoch(10)); !errors.Is(err, tokens.ErrEpochFenced) {
				t.Errorf("its key opened again: %v", err)
			}
		}
		must(l.Close())
		fsck(t, at, nil)
	}
}

// TestFenceIsNeeded: a ledger without a fence would not see an older copy.
func TestFenceIsNeeded(t *testing.T) {
	if _, err := ledger.Open(ledger.Config{Dir: t.TempDir(), Key: testKey(t, 1)}); err == nil {
		t.Fatal("opened without a fence")
	}
}

// TestINV02StoreShowsNoToken looks for a token's nonce, its key's nullifier
// input and the request digest in every file of the store.
func TestINV02StoreShowsNoToken(t *testing.T) {
	s := newSite(t).(*site)
	l, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	m := storagetest.NewMint("e")
	if err := l.OpenEpoch(t.Context(), m.Epoch(10)); err != nil {
		t.Fatal(err)
	}
	token, request := m.Nth(0x5ec2e7a1b2c3d4e5), storagetest.Digest("request")
	if _, err := l.Spend(t.Context(), token, request); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	nonce := token.Nonce()
	key := m.KeyID()
	found := 0
	paths, err := filepath.Glob(filepath.Join(s.cfg.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, s.cfg.Fence) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, nonce[:8]) || bytes.Contains(b, request[:8]) {
			t.Errorf("%s shows the token or its request", filepath.Base(path))
		}
		if bytes.Contains(b, key[:]) {
			found++
		}
	}
	if found < 2 { // the search finds what is there: the public key id
		t.Fatalf("the key id was found in %d files", found)
	}
}
