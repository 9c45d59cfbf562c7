package storagetest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/storage/storagetest/faults"
	"github.com/pseudods/pseudods/tokens"
)

// Ledger is a ledger under test. Close ends it cleanly.
type Ledger interface {
	tokens.Ledger
	io.Closer
}

// LedgerSite is where one ledger keeps its store.
type LedgerSite interface {
	faults.Site[Ledger]
	// Copy copies the store as it is now, open or not, but nothing of what the
	// ledger keeps outside it. The function returned puts the copy in the
	// store's place, when none is open.
	Copy() (restore func() error, err error)
}

// bench is one site in use by one test.
type bench struct {
	*testing.T
	ctx    context.Context
	site   LedgerSite
	ledger Ledger
}

func newBench(t *testing.T, newSite func(*testing.T) LedgerSite) *bench {
	b := &bench{T: t, ctx: context.Background(), site: newSite(t)}
	b.open()
	t.Cleanup(func() {
		if b.ledger != nil {
			b.ledger.Close()
		}
	})
	return b
}

func (b *bench) open() {
	b.Helper()
	ledger, err := b.site.Open()
	if err != nil {
		b.Fatal(err)
	}
	b.ledger = ledger
}

func (b *bench) close() {
	b.Helper()
	if err := b.ledger.Close(); err != nil {
		b.Fatal(err)
	}
	b.ledger = nil
}

// crash crashes and opens again.
func (b *bench) crash() {
	b.Helper()
	if err := b.site.Crash(); err != nil {
		b.Fatal(err)
	}
	b.ledger = nil
	b.open()
}

// epoch opens the epoch of a new mint.
func (b *bench) epoch(name string, capacity uint64) *Mint {
	b.Helper()
	m := NewMint(name)
	if err := b.ledger.OpenEpoch(b.ctx, m.Epoch(capacity)); err != nil {
		b.Fatal(err)
	}
	return m
}

// spend spends and checks what comes of it: an outcome or an error.
func (b *bench) spend(token verify.Redeemed, request tokens.RequestDigest, want any) {
	b.Helper()
	outcome, err := b.ledger.Spend(b.ctx, token, request)
	b.want(outcome, err, want)
}

func (b *bench) want(outcome tokens.Outcome, err error, want any) {
	b.Helper()
	switch want := want.(type) {
	case tokens.Outcome:
		if err != nil || outcome != want {
			b.Fatalf("got outcome %d, %v; want outcome %d", outcome, err, want)
		}
	case error:
		if !errors.Is(err, want) {
			b.Fatalf("got outcome %d, %v; want %v", outcome, err, want)
		}
	}
}
