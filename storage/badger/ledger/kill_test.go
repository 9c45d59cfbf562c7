package ledger_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

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
	for round := range 4 {
		killSpender(t, a, 200+100*round, acked)
		a.First += 1 << 20
		audit(t, a, acked)
	}
}

// killSpender runs a spender until it acknowledged n tokens, kills it, and adds
// what it acknowledged to acked.
func killSpender(t *testing.T, a spenderArgs, n int, acked map[uint64]bool) {
	t.Helper()
	args, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestINV04KillNine$")
	child.Env = append(os.Environ(), spenderEnv+"="+string(args))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(time.Minute, func() { child.Process.Kill() })
	defer stuck.Stop()
	lines := bufio.NewScanner(out)
	before := len(acked)
	for lines.Scan() {
		var number uint64
		if _, err := fmt.Sscanln(lines.Text(), &number); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		acked[number] = true
		if len(acked) == before+n {
			if err := child.Process.Kill(); err != nil { // and read on: what it printed until then
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || len(acked) < before+n {
		t.Fatalf("the spender ended with %v after %d tokens", err, len(acked)-before)
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
