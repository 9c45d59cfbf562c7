package ledger_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

// spenderEnv makes the test binary a spender, with arguments as JSON.
const spenderEnv = "LEDGER_SPENDER"

type spenderArgs struct {
	Dir, Fence string
	First      uint64 // number of the first token
}

// spender spends token after token in 16 goroutines until it is killed, and
// prints the number of each when it is acknowledged. If nobody reads, printing
// ends it.
func spender(t *testing.T, args string) {
	var a spenderArgs
	if err := json.Unmarshal([]byte(args), &a); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ledger.Config{Dir: a.Dir, Fence: a.Fence, Key: testKey(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	m := storagetest.NewMint("e")
	if err := l.OpenEpoch(t.Context(), m.Epoch(1<<40)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	next := a.First
	for range 16 {
		go func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				outcome, err := l.Spend(t.Context(), m.Nth(n), storagetest.Digest(n))
				if err != nil || outcome != tokens.Fresh {
					panic(fmt.Sprint("an unspent token: outcome ", outcome, err))
				}
				mu.Lock()
				fmt.Println(n) // unbuffered: written before the next line of code runs
				mu.Unlock()
			}
		}()
	}
	select {}
}

// TestINV04KillNine kills a process that spends, again and again, and audits the
// store: no acknowledged token is spendable again, and each resumes with its
// request. (A kill proves nothing about fsync: the page cache outlives it.)
func TestINV04KillNine(t *testing.T) {
	if args := os.Getenv(spenderEnv); args != "" {
		spender(t, args) // this is the child
	}
	a := spenderArgs{Dir: filepath.Join(t.TempDir(), "db"), Fence: filepath.Join(t.TempDir(), "fence")}
	acked := map[uint64]bool{}
	for round := range storagetest.KillRounds(t) {
		args, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range storagetest.RunKilled(t, "TestINV04KillNine", spenderEnv+"="+string(args), 200+100*(round%4)) {
			number, err := strconv.ParseUint(line, 10, 64)
			if err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			acked[number] = true
		}
		a.First += 1 << 20
		fsck(t, ledger.Config{Dir: a.Dir, Fence: a.Fence}, nil)
		audit(t, a, acked)
	}
}

func audit(t *testing.T, a spenderArgs, acked map[uint64]bool) {
	t.Helper()
	l, err := ledger.Open(ledger.Config{Dir: a.Dir, Fence: a.Fence, Key: testKey(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := storagetest.NewMint("e")
	var wg sync.WaitGroup
	for number := range acked {
		wg.Go(func() {
			token := m.Nth(number)
			if outcome, err := l.Spend(t.Context(), token, storagetest.Digest("thief")); err == nil {
				t.Errorf("token %d was accepted again, outcome %d", number, outcome)
			}
			if outcome, err := l.Spend(t.Context(), token, storagetest.Digest(number)); err != nil || outcome != tokens.Resume {
				t.Errorf("token %d does not resume: outcome %d, %v", number, outcome, err)
			}
		})
	}
	wg.Wait()
	u, err := l.Usage(t.Context(), m.KeyID())
	if err != nil || u.Spent < uint64(len(acked)) {
		t.Fatalf("usage %+v of %d, %v", u, len(acked), err)
	}
	// The audit can see a loss: an unspent token is fresh.
	if outcome, err := l.Spend(t.Context(), m.Nth(a.First-1), storagetest.Digest("audit")); err != nil || outcome != tokens.Fresh {
		t.Fatalf("an unspent token: outcome %d, %v", outcome, err)
	}
}
