package tokens

import (
	"fmt"

	"github.com/pseudods/pseudods/privacypass"
)

// Origin is this service as tokens name it.
type Origin struct {
	// Name is the service's domain. Tokens are good here alone.
	Name string
	// Scope is empty, or 32 octets that stand in the challenges as redemption
	// context.
	//
	// Empty is the choice for a service with one ledger: a token is bound to
	// issuer, origin and key, so that a wallet can fetch it in a batch long
	// before use, and its spending says nothing of when it was fetched. A context
	// that was drawn per request, or named an operation or a group, would force
	// issuance and redemption together in time and split the anonymity set.
	//
	// 32 random octets separate ledgers that share no state behind one name:
	// each has its own scope and refuses the others' tokens. A new scope also
	// voids every token out there, without new issuer keys.
	Scope []byte
}

// Challenge returns the challenge that tokens of the class must answer at the
// origin. The errors are [ErrPriceList] for a class without terms, and those of
// the privacypass package for names that challenges cannot carry.
func (l *PriceList) Challenge(class Class, origin Origin) (*privacypass.TokenChallenge, error) {
	terms, ok := l.Classes[class]
	if !ok {
		return nil, fmt.Errorf("%w: class without terms", ErrPriceList)
	}
	c := &privacypass.TokenChallenge{
		TokenType:         terms.TokenType,
		IssuerName:        terms.Issuer,
		RedemptionContext: origin.Scope,
		OriginInfo:        []string{origin.Name},
	}
	if _, err := c.Marshal(); err != nil {
		return nil, err
	}
	return c, nil
}
