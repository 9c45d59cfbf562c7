package wallet_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/client/wallet"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/tokens"
)

var errCrash = errors.New("the program ended")

// reopen is what happens after the program ended.
func (r *rig) reopen(w *wallet.Wallet) *wallet.Wallet {
	r.t.Helper()
	check(r.t, w.Close())
	return r.open()
}

// TestCrashInRefill ends the program at each step of each of the two saves, and
// loses the request or the answer on the way: the next refill brings one batch,
// and one batch was charged.
func TestCrashInRefill(t *testing.T) {
	for save := 1; save <= 2; save++ {
		for step := range wallet.Steps {
			t.Run(fmt.Sprintf("save=%d/step=%d", save, step), func(t *testing.T) {
				r := newRig(t, privacypass.VOPRFRistretto255)
				w := r.open()
				w.CrashAt(step, save, errCrash)
				wantErr(t, w.Refill(t.Context()), errCrash)
				w = r.reopen(w)
				check(t, w.Refill(t.Context()))
				if n := w.Count(tokens.Send); n != batch || r.charged != batch {
					t.Fatalf("%d tokens, %d charged", n, r.charged)
				}
				spendAll(t, r, w)
			})
		}
	}
}

// spendAll shows that each token in the wallet is good.
func spendAll(t *testing.T, r *rig, w *wallet.Wallet) {
	t.Helper()
	for w.Count(tokens.Send) > 0 {
		s, err := w.Spend(tokens.Send, 1, compose(""))
		check(t, err)
		r.wantServed(s.Request(), tokens.Fresh)
		check(t, s.Done())
	}
}

// TestCrashWhileFetching loses the request, then the answer, with restarts in
// between: the issuer sees the same octets each time and charges once.
func TestCrashWhileFetching(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	r.before = []error{errLost}
	r.after = []error{errLost}
	w := r.open()
	wantErr(t, w.Refill(t.Context()), errLost)
	wantErr(t, w.Refill(t.Context()), errLost)
	w = r.reopen(w)
	check(t, w.Refill(t.Context()))
	r.sameAsked(3)
	if n := w.Count(tokens.Send); n != batch || r.charged != batch {
		t.Fatalf("%d tokens, %d charged", n, r.charged)
	}
	spendAll(t, r, w)
}

// TestRefusedFetchIsGivenUp, and one whose key retired, while others are
// repeated.
func TestRefusedFetchIsGivenUp(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	r.before = []error{fmt.Errorf("%w: no", wallet.ErrRefused)}
	w := r.open()
	wantErr(t, w.Refill(t.Context()), wallet.ErrRefused)
	r.before = []error{errLost}
	wantErr(t, w.Refill(t.Context()), errLost)
	if string(r.asked[0]) == string(r.asked[1]) {
		t.Fatal("the refused request was repeated")
	}
	r.rotate()
	r.retire()
	check(t, w.Use(tokens.Send, r.source()))
	check(t, w.Refill(t.Context()))
	if string(r.asked[1]) == string(r.asked[2]) {
		t.Fatal("a request under a retired key was repeated")
	}
	spendAll(t, r, w)
}

// TestForgedAnswer: an answer that does not verify gives nothing, and the
// request is repeated.
func TestForgedAnswer(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	r.after = []error{errLost}
	w := r.open()
	wantErr(t, w.Refill(t.Context()), errLost)
	for request, reply := range r.replies {
		forged := append([]byte(nil), reply...)
		forged[len(forged)-1] ^= 1
		r.replies[request] = forged
		if err := w.Refill(t.Context()); err == nil || w.Count(tokens.Send) != 0 {
			t.Fatalf("a forged answer gave %d tokens, %v", w.Count(tokens.Send), err)
		}
		r.replies[request] = reply
	}
	check(t, w.Refill(t.Context()))
	r.sameAsked(3)
}

// TestINV04CrashInSpend ends the program at each step of saving a request:
// afterwards its tokens are in the wallet or in the outstanding request, never
// in both or neither, and the request is taken.
func TestINV04CrashInSpend(t *testing.T) {
	for step := range wallet.Steps {
		r := newRig(t, privacypass.VOPRFRistretto255)
		w := r.filled()
		w.CrashAt(step, 1, errCrash)
		_, err := w.Spend(tokens.Send, 2, compose("a"))
		wantErr(t, err, errCrash)
		w = r.reopen(w)
		held := 0
		for _, s := range w.Outstanding() {
			held += 2
			r.wantServed(s.Request(), tokens.Fresh)
			check(t, s.Done())
		}
		if n := w.Count(tokens.Send); n+held != batch {
			t.Fatalf("step %d: %d in the wallet, %d held", step, n, held)
		}
		spendAll(t, r, w)
	}
}

// TestINV04CrashBeforeTheAnswer: the request was carried out, the answer never
// came. After the restart the same octets resume, and nothing else has the token.
func TestINV04CrashBeforeTheAnswer(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	s, err := w.Spend(tokens.Send, 2, compose("a"))
	check(t, err)
	sent := s.Request()
	r.wantServed(sent, tokens.Fresh)
	w = r.reopen(w)
	spendAll(t, r, w) // the rest
	outstanding := w.Outstanding()
	if len(outstanding) != 1 || string(outstanding[0].Request()) != string(sent) {
		t.Fatalf("%d outstanding requests", len(outstanding))
	}
	r.wantServed(outstanding[0].Request(), tokens.Resume)
	check(t, outstanding[0].Done())
	w = r.reopen(w)
	if len(w.Outstanding()) != 0 || w.Count(tokens.Send) != 0 {
		t.Fatal("a settled request came back")
	}
}

// TestINV04CrashInDone ends the program at each step of forgetting a request:
// it is outstanding and resumes, or it is gone; its tokens never come back.
func TestINV04CrashInDone(t *testing.T) {
	for step := range wallet.Steps {
		r := newRig(t, privacypass.VOPRFRistretto255)
		w := r.filled()
		s, err := w.Spend(tokens.Send, 1, compose("a"))
		check(t, err)
		r.wantServed(s.Request(), tokens.Fresh)
		w.CrashAt(step, 1, errCrash)
		wantErr(t, s.Done(), errCrash)
		w = r.reopen(w)
		for _, s := range w.Outstanding() {
			r.wantServed(s.Request(), tokens.Resume)
			check(t, s.Done())
		}
		if n := w.Count(tokens.Send); n != batch-1 {
			t.Fatalf("step %d: %d tokens", step, n)
		}
		spendAll(t, r, w)
	}
}

// TestFailedSaveChangesNothing goes on after a save failed: what is on disk is
// then replaced by what the wallet says.
func TestFailedSaveChangesNothing(t *testing.T) {
	for step := range wallet.Steps {
		r := newRig(t, privacypass.VOPRFRistretto255)
		w := r.filled()
		w.CrashAt(step, 1, errCrash)
		_, err := w.Spend(tokens.Send, 1, compose("a"))
		wantErr(t, err, errCrash)
		if w.Count(tokens.Send) != batch || len(w.Outstanding()) != 0 {
			t.Fatalf("step %d: the wallet changed", step)
		}
		w.CrashAt(0, 0, nil)
		s, err := w.Spend(tokens.Send, 1, compose("b"))
		check(t, err)
		r.wantServed(s.Request(), tokens.Fresh)
		w = r.reopen(w)
		if n := len(w.Outstanding()); n != 1 || w.Count(tokens.Send) != batch-1 {
			t.Fatalf("step %d: %d outstanding, %d tokens", step, n, w.Count(tokens.Send))
		}
	}
}
