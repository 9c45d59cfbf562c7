package ds

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// prices are the names of operations in a price list. An operation that is not
// among them is free.
var prices = map[wire.Operation]string{
	wire.OpCreateGroup:        "create-group",
	wire.OpAddUsers:           "add-users",
	wire.OpRemoveUsers:        "remove-users",
	wire.OpAddClients:         "add-clients",
	wire.OpRemoveClients:      "remove-clients",
	wire.OpUpdate:             "update",
	wire.OpRejoin:             "rejoin",
	wire.OpExternalJoin:       "external-join",
	wire.OpPropose:            "propose",
	wire.OpSendMessage:        "send-message",
	wire.OpUpdateQueueAddress: "update-queue-address",
	wire.OpExternalCommitInfo: "external-commit-info",
}

// Desk takes payments with a till and a ledger.
type Desk struct {
	Till   *tokens.Till
	Ledger tokens.Ledger
}

var _ Payments = (*Desk)(nil)

type paid struct {
	tokens.Payment
	ledger tokens.Ledger
}

// Verify implements [Payments].
func (d *Desk) Verify(op wire.Operation, encoded [][]byte) (Payment, error) {
	name := prices[op]
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
	p, err := d.Till.Verify(name, parsed)
	switch {
	case errors.Is(err, tokens.ErrTokenRequired):
		return nil, d.demand(name)
	case err != nil:
		return nil, &wire.Error{Code: wire.CodeTokenInvalid}
	case p.Count() == 0:
		return nil, nil
	}
	return &paid{p, d.Ledger}, nil
}

// demand says what an operation costs.
func (d *Desk) demand(operation string) error {
	_, challenge, ok := d.Till.Price(operation)
	if !ok {
		return errStore
	}
	b, err := challenge.Marshal()
	if err != nil {
		return err
	}
	value, err := privacypass.FormatChallenges(privacypass.Challenge{Challenge: b})
	if err != nil {
		return err
	}
	return &wire.Error{Code: wire.CodeTokenRequired, Challenges: []string{value}}
}

// Spend implements [Payment].
func (p *paid) Spend(ctx context.Context, request [32]byte) error {
	_, err := p.Payment.Spend(ctx, p.ledger, request)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tokens.ErrDoubleSpend):
		return &wire.Error{Code: wire.CodeTokenSpent}
	case errors.Is(err, tokens.ErrUnavailable):
		return &wire.Error{Code: wire.CodeInternal}
	}
	return &wire.Error{Code: wire.CodeTokenInvalid}
}
