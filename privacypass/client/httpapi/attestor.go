package httpapi

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"

	"github.com/pseudods/pseudods/privacypass/attester"
)

// ErrNoWork: the issuer takes no proof of work.
var ErrNoWork = errors.New("httpapi: the issuer takes no proof of work")

// Attestor is the client's side of an attester. It must be safe for concurrent
// use.
type Attestor interface {
	// Authorize returns the Authorization header for a request to the issuer that
	// is described. It may take long, and is called again for a repetition.
	Authorize(ctx context.Context, d *attester.Description, r *attester.Request) (header string, err error)
}

// AttestorFunc is a function as an [Attestor].
type AttestorFunc func(ctx context.Context, d *attester.Description, r *attester.Request) (string, error)

// Authorize calls f.
func (f AttestorFunc) Authorize(ctx context.Context, d *attester.Description, r *attester.Request) (string, error) {
	return f(ctx, d, r)
}

// Header presents the same header with each request, such as one of
// [attester.InviteAuthorization], or those of packages oidc and webhook.
func Header(value string) Attestor {
	return AttestorFunc(func(context.Context, *attester.Description, *attester.Request) (string, error) { return value, nil })
}

// AccountKey signs each request with an account's key.
func AccountKey(key ed25519.PrivateKey) Attestor {
	return AttestorFunc(func(_ context.Context, _ *attester.Description, r *attester.Request) (string, error) {
		return attester.AccountKeyAuthorization(key, r), nil
	})
}

// ProofOfWork does the work that the issuer asks for. It reads 16 octets from
// rand for each request. It fails with [ErrNoWork].
func ProofOfWork(rand io.Reader) Attestor {
	return AttestorFunc(func(ctx context.Context, d *attester.Description, r *attester.Request) (string, error) {
		for _, a := range d.Attesters {
			if a.Work != nil {
				return a.Work.Solve(ctx, rand, r)
			}
		}
		return "", ErrNoWork
	})
}
