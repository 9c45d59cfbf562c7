// Package desk takes Privacy Pass tokens for the operations of one role: it turns
// a till and a ledger into answers of package wire.
//
// A token is good for one ledger. Roles with ledgers of their own must not sell
// for tokens of the same class.
package desk

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// Desk takes payments with a till and a ledger. Its methods may be called
// concurrently.
type Desk struct {
	names  map[wire.Operation]string
	ledger tokens.Ledger
	till   atomic.Pointer[tokens.Till]
	look   func()
}

// New returns a desk. names are the names of operations in a price list; one that
// is not among them is free.
func New(names map[wire.Operation]string, till *tokens.Till, ledger tokens.Ledger) *Desk {
	d := &Desk{names: names, ledger: ledger}
	d.SetTill(till)
	return d
}

// SetTill replaces the till, such as when keys rotate. Payments that the old one
// has verified can still be spent, for as long as the ledger has their epochs.
func (d *Desk) SetTill(till *tokens.Till) { d.till.Store(till) }

// SetLook sets a function that is called when a token does not verify, and replaces
// the till if keys have changed: an issuer may use a key before this service has
// seen it. When it returns, a change from before the call has its till in place,
// whoever noticed it. It must be cheap when nothing has changed. It is set before
// the desk is used.
func (d *Desk) SetLook(look func()) { d.look = look }

// Payment is what was verified for one request.
type Payment struct {
	tokens.Payment
	ledger tokens.Ledger
}

// Verify checks the tokens of a request and touches no store. It returns nil for
// an operation that is free and comes without tokens. Tokens for a free operation
// of a group are the price of [wire.PriceBurst], if the list has that. Its errors
// are [wire.Error]s.
func (d *Desk) Verify(op wire.Operation, encoded [][]byte) (*Payment, error) {
	if len(encoded) > tokens.MaxCount {
		return nil, &wire.Error{Code: wire.CodeTokenInvalid}
	}
	parsed := make([]*privacypass.Token, len(encoded))
	for i, b := range encoded {
		t, err := privacypass.ParseToken(b)
		if err != nil {
			return nil, &wire.Error{Code: wire.CodeTokenInvalid}
		}
		parsed[i] = t
	}
	till := d.till.Load()
	p, err := d.verify(till, op, parsed)
	if err != nil && len(parsed) > 0 && d.look != nil {
		// Not whether this call found a change: another may have found it since.
		if d.look(); d.till.Load() != till {
			till = d.till.Load()
			p, err = d.verify(till, op, parsed)
		}
	}
	switch {
	case errors.Is(err, tokens.ErrTokenRequired):
		return nil, demand(till, d.names[op])
	case err != nil:
		return nil, &wire.Error{Code: wire.CodeTokenInvalid}
	case p.Count() == 0:
		return nil, nil
	}
	return &Payment{p, d.ledger}, nil
}

func (d *Desk) verify(till *tokens.Till, op wire.Operation, parsed []*privacypass.Token) (tokens.Payment, error) {
	name := d.names[op]
	if _, _, priced := till.Price(name); !priced && name != "" && len(parsed) > 0 && op.IsGroup() {
		name = wire.PriceBurst
	}
	return till.Verify(name, parsed)
}

// demand says what an operation costs.
func demand(till *tokens.Till, name string) error {
	_, challenge, ok := till.Price(name)
	if !ok {
		return &wire.Error{Code: wire.CodeInternal}
	}
	b, err := challenge.Marshal()
	if err != nil {
		return &wire.Error{Code: wire.CodeInternal}
	}
	value, err := privacypass.FormatChallenges(privacypass.Challenge{Challenge: b})
	if err != nil {
		return &wire.Error{Code: wire.CodeInternal}
	}
	return &wire.Error{Code: wire.CodeTokenRequired, Challenges: []string{value}}
}

// Spend binds the tokens to the request with this digest, durably. It succeeds
// again for the same request. Its errors are [wire.Error]s.
func (p *Payment) Spend(ctx context.Context, request [32]byte) error {
	_, err := p.Payment.Spend(ctx, p.ledger, request)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tokens.ErrDoubleSpend):
		return &wire.Error{Code: wire.CodeTokenSpent}
	case errors.Is(err, tokens.ErrUnavailable), ctx.Err() != nil:
		return &wire.Error{Code: wire.CodeInternal}
	}
	return &wire.Error{Code: wire.CodeTokenInvalid}
}
