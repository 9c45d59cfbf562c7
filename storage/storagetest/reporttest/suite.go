package reporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/storagetest/faults"
)

// Store is a store that can be closed.
type Store interface {
	moderation.Store
	Close() error
}

// Site is where one store lives.
type Site = faults.Site[Store]

// Run runs the suite.
func Run(t *testing.T, newSite func(*testing.T) Site) {
	for name, test := range map[string]func(*bench){
		"life":     testLife,
		"refusals": testRefusals,
		"lists":    testLists,
		"races":    testRaces,
		"crash":    testCrash,
		"faults":   testFaults,
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{T: t, ctx: t.Context(), site: newSite(t)}
			b.open()
			test(b)
			b.must(b.store.Close())
		})
	}
}

type bench struct {
	*testing.T
	ctx   context.Context
	site  Site
	store Store
}

func (b *bench) open() {
	b.Helper()
	s, err := b.site.Open()
	b.must(err)
	b.store = s
}

func (b *bench) crash() {
	b.Helper()
	b.must(b.site.Crash())
	b.open()
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) wantErr(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("got %v, want %v", err, want)
	}
}

// id names the nth case. Names are not in the order of n.
func id(n int) (id moderation.CaseID) {
	copy(id[:], fmt.Sprintf("%03d%013d", (n*577)%1000, n))
	return id
}

func caseOf(n int) *moderation.Case {
	return &moderation.Case{Day: uint32(n), Commitment: [32]byte{byte(n)}, Sealed: fmt.Appendf(nil, "sealed %d", n)}
}

const most = 1000

func (b *bench) add(n int) {
	b.Helper()
	b.must(b.store.Add(b.ctx, id(n), caseOf(n), most))
}

func (b *bench) wantOpen(n int) {
	b.Helper()
	c, _, err := b.store.Look(b.ctx, id(n))
	b.must(err)
	if want := caseOf(n); c == nil || c.Day != want.Day || c.Commitment != want.Commitment || !bytes.Equal(c.Sealed, want.Sealed) {
		b.Fatalf("case %d is %+v", n, c)
	}
}

func (b *bench) wantDecided(n int, want moderation.Outcome) {
	b.Helper()
	c, o, err := b.store.Look(b.ctx, id(n))
	b.must(err)
	if c != nil || o != want {
		b.Fatalf("case %d is %v %v, want %v", n, c, o, want)
	}
	b.wantErr(b.store.Add(b.ctx, id(n), caseOf(n), most), moderation.ErrKnown)
}

func (b *bench) wantWaiting(want int) {
	b.Helper()
	n, err := b.store.Waiting(b.ctx)
	b.must(err)
	if n != want {
		b.Fatalf("%d cases wait, want %d", n, want)
	}
}

// wantVerdicts checks the verdicts that are to be sent.
func (b *bench) wantVerdicts(want map[int]string) {
	b.Helper()
	list, more, err := b.store.Verdicts(b.ctx, moderation.CaseID{})
	b.must(err)
	if len(list) != len(want) || more {
		b.Fatalf("%d verdicts, want %d", len(list), len(want))
	}
	for n, verdict := range want {
		found := false
		for _, o := range list {
			found = found || o.ID == id(n) && string(o.Verdict) == verdict
		}
		if !found {
			b.Fatalf("no verdict of case %d", n)
		}
	}
}

var (
	upheld    = moderation.Outcome{State: moderation.Upheld, Weight: attester.Normal}
	severe    = moderation.Outcome{State: moderation.Upheld, Weight: attester.Severe}
	dismissed = moderation.Outcome{State: moderation.Dismissed}
	expired   = moderation.Outcome{State: moderation.Expired}
)

func testLife(b *bench) {
	b.wantWaiting(0)
	for n := range 4 {
		b.add(n)
		b.wantOpen(n)
	}
	b.wantWaiting(4)
	b.must(b.store.Decide(b.ctx, id(0), upheld, []byte("verdict")))
	b.must(b.store.Decide(b.ctx, id(1), dismissed, nil))
	b.must(b.store.Decide(b.ctx, id(2), expired, nil))
	b.wantWaiting(1)
	b.wantDecided(0, upheld)
	b.wantDecided(1, dismissed)
	b.wantDecided(2, expired)
	b.wantOpen(3)
	b.wantVerdicts(map[int]string{0: "verdict"})
	for range 2 {
		b.must(b.store.Sent(b.ctx, id(0)))
		b.wantVerdicts(nil)
	}
	b.must(b.store.Decide(b.ctx, id(0), upheld, []byte("verdict"))) // does not come again
	b.wantVerdicts(nil)
	b.wantDecided(0, upheld)
}

func testRefusals(b *bench) {
	b.add(0)
	b.wantErr(b.store.Add(b.ctx, id(0), caseOf(1), most), moderation.ErrKnown)
	b.wantOpen(0)
	b.wantErr(b.store.Add(b.ctx, id(1), caseOf(1), 1), moderation.ErrFull)
	_, _, err := b.store.Look(b.ctx, id(1))
	b.wantErr(err, moderation.ErrNoCase)
	b.wantErr(b.store.Decide(b.ctx, id(1), upheld, []byte("verdict")), moderation.ErrNoCase)
	b.must(b.store.Sent(b.ctx, id(1)))
	b.must(b.store.Decide(b.ctx, id(0), upheld, []byte("verdict")))
	for _, other := range []moderation.Outcome{dismissed, expired, severe} {
		b.wantErr(b.store.Decide(b.ctx, id(0), other, []byte("another")), moderation.ErrDecided)
	}
	b.must(b.store.Decide(b.ctx, id(0), upheld, []byte("another"))) // the first stands
	b.wantVerdicts(map[int]string{0: "verdict"})
	b.must(b.store.Add(b.ctx, id(1), caseOf(1), 1)) // a decided case takes no room
	// What the caller does to its slices afterwards is not the store's business.
	c := caseOf(2)
	b.must(b.store.Add(b.ctx, id(2), c, most))
	clear(c.Sealed)
	got, _, err := b.store.Look(b.ctx, id(2))
	b.must(err)
	clear(got.Sealed)
	b.wantOpen(2)
}

func testLists(b *bench) {
	const n = 2*moderation.MaxList + 5
	for i := range n {
		b.add(i)
	}
	seen := map[moderation.CaseID]bool{}
	pages := 0
	for from, more := (moderation.CaseID{}), true; more; pages++ {
		var list []moderation.Listed
		var err error
		list, more, err = b.store.OpenCases(b.ctx, from)
		b.must(err)
		for _, l := range list {
			if bytes.Compare(l.ID[:], from[:]) < 0 || seen[l.ID] {
				b.Fatal("out of order, or twice")
			}
			seen[l.ID], from = true, l.ID
		}
		from[len(from)-1]++
	}
	if len(seen) != n || pages != 3 {
		b.Fatalf("%d cases on %d pages", len(seen), pages)
	}
	for i := range n {
		b.must(b.store.Decide(b.ctx, id(i), severe, fmt.Appendf(nil, "%d", i)))
	}
	if list, _, err := b.store.OpenCases(b.ctx, moderation.CaseID{}); err != nil || len(list) != 0 {
		b.Fatalf("%d are open, %v", len(list), err)
	}
	if list, more, err := b.store.Verdicts(b.ctx, moderation.CaseID{}); err != nil || len(list) != moderation.MaxList || !more {
		b.Fatalf("%d verdicts, more %t, %v", len(list), more, err)
	}
}

// testRaces: of contrary decisions one stands, and of copies of a report one is kept.
func testRaces(b *bench) {
	var wg sync.WaitGroup
	var added, won [2]atomic.Int64
	for range 32 {
		wg.Go(func() {
			if err := b.store.Add(b.ctx, id(1), caseOf(1), most); err == nil {
				added[0].Add(1)
			} else if !errors.Is(err, moderation.ErrKnown) {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 32 {
		wg.Go(func() {
			o := []moderation.Outcome{upheld, dismissed}[i%2]
			if err := b.store.Decide(b.ctx, id(1), o, nil); err == nil {
				won[i%2].Add(1)
			} else if !errors.Is(err, moderation.ErrDecided) {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	if added[0].Load() != 1 || won[0].Load()+won[1].Load() != 16 || won[0].Load() > 0 && won[1].Load() > 0 {
		b.Fatalf("added %d times, decided %d and %d times", added[0].Load(), won[0].Load(), won[1].Load())
	}
	b.wantWaiting(0)
}

func testCrash(b *bench) {
	for n := range 10 {
		b.add(n)
		b.crash()
		b.wantOpen(n)
		if n%2 == 0 {
			b.must(b.store.Decide(b.ctx, id(n), upheld, fmt.Appendf(nil, "%d", n)))
			b.crash()
			b.wantDecided(n, upheld)
			b.wantVerdicts(map[int]string{n: fmt.Sprint(n)})
			b.must(b.store.Sent(b.ctx, id(n)))
			b.crash()
			b.wantVerdicts(nil)
		}
	}
	b.wantWaiting(5)
}

// testFaults: what failed happened or did not, and is done by being repeated.
func testFaults(b *bench) {
	for n := range b.site.Steps() {
		b.site.Fail(n)
		failed := b.store.Add(b.ctx, id(n), caseOf(n), most)
		b.crash()
		if err := b.store.Add(b.ctx, id(n), caseOf(n), most); err != nil && !errors.Is(err, moderation.ErrKnown) || err == nil && failed == nil {
			b.Fatalf("step %d: %v, then %v", n, failed, err)
		}
		b.wantOpen(n)
		b.wantWaiting(1)
		b.site.Fail(n)
		_ = b.store.Decide(b.ctx, id(n), upheld, []byte("verdict"))
		b.crash()
		b.must(b.store.Decide(b.ctx, id(n), upheld, []byte("verdict")))
		b.wantDecided(n, upheld)
		b.wantVerdicts(map[int]string{n: "verdict"})
		b.wantWaiting(0)
		b.must(b.store.Sent(b.ctx, id(n)))
	}
}
