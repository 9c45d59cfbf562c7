package storagetest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/linear"
	"github.com/pseudods/pseudods/tokens"
)

// careless is a ledger that looks first and inserts later, or forgets in a crash
// what it has answered.
type careless struct {
	storagetest.Ledger
	forgetful bool

	mu    sync.Mutex
	bound map[verify.Redeemed]tokens.RequestDigest
}

func (c *careless) Spend(_ context.Context, token verify.Redeemed, request tokens.RequestDigest) (tokens.Outcome, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bound, ok := c.bound[token]
	switch {
	case ok && bound == request:
		return tokens.Resume, nil
	case ok:
		return 0, tokens.ErrDoubleSpend
	}
	if !c.forgetful {
		c.mu.Unlock()
		time.Sleep(time.Millisecond)
		c.mu.Lock()
	}
	c.bound[token] = request
	return tokens.Fresh, nil
}

type carelessSite struct {
	storagetest.LedgerSite
	open *careless
}

func (s carelessSite) Open() (storagetest.Ledger, error) {
	var err error
	s.open.Ledger, err = s.LedgerSite.Open()
	return s.open, err
}

func (s carelessSite) Crash() error {
	if s.open.forgetful {
		for token := range s.open.bound {
			delete(s.open.bound, token) // one of them
			break
		}
	}
	return s.LedgerSite.Crash()
}

func TestINV04HistoryRejects(t *testing.T) {
	for _, forgetful := range []bool{false, true} {
		rejected := false
		for round := range byte(20) {
			open := &careless{forgetful: forgetful, bound: map[verify.Redeemed]tokens.RequestDigest{}}
			err := storagetest.LedgerHistory(carelessSite{storagetest.NewReferenceSite(), open}, -1, round)
			if rejected = errors.Is(err, linear.ErrHistory); rejected {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !rejected {
			t.Errorf("forgetful %t: not noticed", forgetful)
		}
	}
}
