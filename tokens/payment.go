package tokens

import (
	"context"

	"github.com/pseudods/pseudods/privacypass/verify"
)

// Payment is the verified price of one operation, possibly of no tokens. Only
// [Till.Verify] makes one.
type Payment struct {
	checked bool
	tokens  []verify.Redeemed // in the order of compare
}

// Count is the number of tokens.
func (p Payment) Count() int { return len(p.tokens) }

// Spend enters the payment's tokens in the ledger, bound to the request, and
// says whether to act for the first time or again. A payment of no tokens is
// always [Fresh], as nothing remembers it.
//
// On an error the caller must not act. The tokens entered before it stay bound to
// the request: repeating the same request uses them. If it was ErrDoubleSpend
// they are lost to whoever showed a spent token beside them; freeing them
// would let a request be refused and carried out at once.
func (p Payment) Spend(ctx context.Context, ledger Ledger, request RequestDigest) (Outcome, error) {
	if !p.checked {
		panic("tokens: use of a zero Payment")
	}
	outcome := Fresh
	for _, token := range p.tokens {
		// The last insert decides: of identical requests under way at once, each
		// of which may have inserted some, exactly one inserts the last.
		var err error
		if outcome, err = ledger.Spend(ctx, token, request); err != nil {
			return 0, err
		}
	}
	return outcome, nil
}
