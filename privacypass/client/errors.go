package client

import "errors"

// The errors of this package. Test for them with errors.Is. Those of package
// privacypass appear as well.
var (
	// ErrKey: octets are not the canonical encoding of an issuer's public key.
	ErrKey = errors.New("client: invalid issuer key")
	// ErrWant: a [Want] is incomplete or contradicts itself.
	ErrWant = errors.New("client: invalid request for a token")
	// ErrResponse: the issuer's answer does not fit the request, or its proof or
	// signature does not verify.
	ErrResponse = errors.New("client: invalid issuer response")
	// ErrState: an exported state is damaged.
	ErrState = errors.New("client: invalid state")
	// ErrRandom: the random source failed.
	ErrRandom = errors.New("client: random source failed")
)
