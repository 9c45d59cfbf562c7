package issuer

import (
	"errors"
	"fmt"
)

// The errors of this package. Test for them with errors.Is.
var (
	// ErrUnprocessable is the family of all faults of a request: answer 422. The
	// errors below that name a cause wrap it.
	ErrUnprocessable = errors.New("issuer: unprocessable request")
	// ErrUnknownKey: no live key has the type and truncated identifier asked for.
	ErrUnknownKey = fmt.Errorf("%w: no such key", ErrUnprocessable)
	// ErrElement: a blinded message is not the canonical compressed encoding of a
	// group element other than the identity, or, for blind RSA, not a number from 2
	// to n-2.
	ErrElement = fmt.Errorf("%w: invalid blinded message", ErrUnprocessable)

	// ErrKeyCollision: two live keys of a type share their truncated identifier, so
	// a request could not say which it means. Generate another key.
	ErrKeyCollision = errors.New("issuer: truncated key identifiers collide")
	// ErrKeyFormat: octets are not a private key, or a key cannot be made.
	ErrKeyFormat = errors.New("issuer: invalid private key")
	// ErrFault: a private-key operation gave a result that its own check refused,
	// or the random source failed. No part of the result left. Answer 500.
	ErrFault = errors.New("issuer: private-key operation failed")
)

func unprocessable(err error) error { return fmt.Errorf("%w: %w", ErrUnprocessable, err) }
