package ds

import (
	"github.com/pseudods/pseudods/pseudods/desk"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// prices are the names of operations in a price list. An operation that is not
// among them is free.
var prices = wire.PriceNames(wire.Operation.IsGroup)

// Desk takes payments with a till and a ledger.
type Desk struct{ *desk.Desk }

var _ Payments = (*Desk)(nil)

// NewDesk returns a desk for the operations of this role.
func NewDesk(till *tokens.Till, ledger tokens.Ledger) *Desk {
	return &Desk{desk.New(prices, till, ledger)}
}

// Verify implements [Payments].
func (d *Desk) Verify(op wire.Operation, encoded [][]byte) (Payment, error) {
	p, err := d.Desk.Verify(op, encoded)
	if p == nil {
		return nil, err
	}
	return p, nil
}
