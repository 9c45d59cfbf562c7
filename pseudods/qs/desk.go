package qs

import (
	"context"

	"github.com/pseudods/pseudods/pseudods/desk"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// prices are the names of operations in a price list. An operation that is not
// among them is free.
var prices = wire.PriceNames(wire.Operation.IsQueue)

// Desk takes payments with a till and a ledger.
type Desk struct{ *desk.Desk }

var _ Payments = (*Desk)(nil)

// NewDesk returns a desk for the operations of this role.
func NewDesk(till *tokens.Till, ledger tokens.Ledger) *Desk {
	return &Desk{desk.New(prices, till, ledger)}
}

// Pay implements [Payments].
func (d *Desk) Pay(ctx context.Context, op wire.Operation, tokens [][]byte, request [32]byte) error {
	p, err := d.Verify(op, tokens)
	if err != nil || p == nil {
		return err
	}
	return p.Spend(ctx, request)
}
