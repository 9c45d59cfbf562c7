package storagetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/storagetest/linear"
	"github.com/pseudods/pseudods/tokens"
)

// spending is a call of a history: a token, by its number, for a request.
type spending struct {
	token   uint64
	request int // at least 1
}

// spendingModel has one partition for each token: the request it is bound to, 0
// for none. The answer is the outcome, 0 for a double spend.
var spendingModel = linear.Model[int, spending, tokens.Outcome]{
	Partition: func(in spending) string { return fmt.Sprint("token ", in.token) },
	Step: func(bound int, in spending, out *tokens.Outcome) (int, bool) {
		switch bound {
		case 0:
			return in.request, out == nil || *out == tokens.Fresh
		case in.request:
			return bound, out == nil || *out == tokens.Resume
		}
		return bound, out == nil || *out == 0
	},
	Equal: func(a, b int) bool { return a == b },
}

// LedgerHistory lets clients race for a few tokens at a site's ledger, through a
// connection that loses calls, fails the ledger at a step (none if negative) while
// they go on, crashes it, lets them go on, and returns an error unless what they
// were told is linearizable for each token, with all that was left open either
// done or not. Each round of a site needs its own number.
func LedgerHistory(site LedgerSite, step int, round byte) error {
	ledger, err := site.Open()
	if err != nil {
		return err
	}
	defer func() { ledger.Close() }()
	const clients, calls, numbers, requests = 6, 12, 8, 3
	m := NewMint(fmt.Sprint("history ", round))
	if err := ledger.OpenEpoch(context.Background(), m.Epoch(1000)); err != nil {
		return err
	}
	var h linear.History[spending, tokens.Outcome]
	doubt := &linear.Doubt{OneIn: 20}
	var first uint64 // each phase has tokens of its own, and some of the one before
	phase := func(broken bool) {
		var wg sync.WaitGroup
		for n := range clients {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(round)<<32|first, uint64(n)))
				for range calls {
					in := spending{first + rng.Uint64N(numbers), 1 + rng.IntN(requests)}
					if !spend(ledger, doubt, &h, n, m, in) && broken {
						return
					}
				}
			})
		}
		wg.Wait()
		doubt.Wait()
		first += numbers / 2
	}
	phase(false)
	if step >= 0 {
		site.Fail(step)
		phase(true)
	}
	if err := site.Crash(); err != nil {
		return err
	}
	if ledger, err = site.Open(); err != nil {
		return err
	}
	phase(false)
	for token := range first + numbers {
		for request := range requests {
			if !spend(ledger, nil, &h, 0, m, spending{token, request + 1}) {
				return errors.New("storagetest: the last spending failed")
			}
		}
	}
	return linear.Check(&h, spendingModel, time.Minute)
}

// spend makes one call and records it. It returns false if it was left open.
func spend(ledger Ledger, doubt *linear.Doubt, h *linear.History[spending, tokens.Outcome], client int, m *Mint, in spending) (ok bool) {
	token := m.Nth(in.token)
	call := h.Begin(client, in)
	var answer tokens.Outcome
	err := doubt.Do(func() error {
		outcome, err := ledger.Spend(context.Background(), token, Digest(in.request))
		if errors.Is(err, tokens.ErrDoubleSpend) {
			return nil
		}
		if err == nil {
			answer = outcome
		}
		return err
	})
	if err != nil {
		return false
	}
	call.Answer(answer)
	return true
}

// testHistories plays a history for each step at which the ledger can fail, and
// one without.
func testHistories(t *testing.T, newSite func(*testing.T) LedgerSite) {
	site := newSite(t)
	if err := linear.EachStep(site.Steps(), func(step int, round byte) error { return LedgerHistory(site, step, round) }); err != nil {
		t.Fatal(err)
	}
}
