package verify

import (
	"errors"
	"fmt"
)

// The errors of this package. Test for them with errors.Is.
var (
	// ErrRefused is the family of the reasons to refuse a token. Tell the other
	// side no more than that.
	ErrRefused = errors.New("verify: token refused")
	// ErrChallenge: the token is bound to another challenge, type or issuer.
	ErrChallenge = fmt.Errorf("%w: wrong challenge", ErrRefused)
	// ErrUnknownKey: the token names a key that is not in the set.
	ErrUnknownKey = fmt.Errorf("%w: unknown key", ErrRefused)
	// ErrAuthenticator: the key that the token names did not make its
	// authenticator.
	ErrAuthenticator = fmt.Errorf("%w: authenticator does not verify", ErrRefused)

	// ErrKey: octets are not a key that verifies tokens.
	ErrKey = errors.New("verify: invalid key")
	// ErrDuplicateKey: a key set was given the same key twice.
	ErrDuplicateKey = errors.New("verify: duplicate key")
)
