package privacypass

import (
	"errors"
	"fmt"
)

// The errors of this package. Test for them with errors.Is.
var (
	// ErrMalformed: the input is not an encoding of the structure asked for.
	ErrMalformed = errors.New("privacypass: malformed")
	// ErrTokenType: the token type is unknown, reserved, or not the one that the
	// operation takes.
	ErrTokenType = errors.New("privacypass: unsupported token type")
	// ErrBatchSize: a batch is empty, or larger than the limit passed in.
	ErrBatchSize = errors.New("privacypass: batch size")
	// ErrMediaType: the media type is not one of an issuance request.
	ErrMediaType = errors.New("privacypass: unsupported media type")
	// ErrInvalid: a structure that was to be encoded breaks a rule of its type,
	// such as a redemption context that is neither empty nor 32 octets long.
	ErrInvalid = errors.New("privacypass: invalid structure")
	// ErrNoChallenge: a header holds no well-formed PrivateToken challenge.
	ErrNoChallenge = errors.New("privacypass: no usable challenge")
	// ErrNoCredential: a header holds no PrivateToken credential.
	ErrNoCredential = errors.New("privacypass: no credential")
)

func malformed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}
