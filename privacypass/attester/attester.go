package attester

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/privacypass"
)

// The outcomes of an attestation other than success. Whoever maps them to HTTP
// needs no more than these three.
var (
	// ErrMalformed: the credential is absent or cannot be read.
	ErrMalformed = errors.New("attester: malformed credential")
	// ErrRefused: the credential is well formed and not accepted. Wrapping
	// errors say why in words that hold no identifier.
	ErrRefused = errors.New("attester: refused")
	// ErrUnavailable: the attester could not reach what it needs to decide.
	// The same request may succeed later.
	ErrUnavailable = errors.New("attester: unavailable")
)

// Request is what an attester judges. It must not be modified while the
// attester runs.
type Request struct {
	// Authorization is the value of the HTTP Authorization header whose scheme
	// selected the attester.
	Authorization string
	// Issuer is the issuer's name and Class the token class asked for. Both are
	// under signatures and proofs, so that neither can be moved elsewhere.
	Issuer, Class string
	// MediaType is the media type of the token request and Digest the SHA-256
	// hash of its body. Blinded elements are random, which makes the digest
	// serve as nonce.
	MediaType string
	Digest    Digest
	// Keys are the full identifiers of the keys that the request names by one
	// octet. Together with media type and digest they tell requests apart. They
	// are not under signatures: the octet in the body is.
	Keys []privacypass.KeyID
	// Tokens is the number of tokens asked for, at least 1.
	Tokens int
	// Now is the time at which the request is judged.
	Now time.Time
}

// id is what a [Store] knows the request by.
func (r *Request) id() Digest {
	var w tlscodec.Writer
	w.Opaque([]byte(r.MediaType))
	w.Raw(r.Digest[:])
	for _, k := range r.Keys {
		w.Raw(k[:])
	}
	b, err := w.Bytes()
	if err != nil {
		panic(err) // a media type of more than 1 GiB
	}
	return sha256.Sum256(b)
}

// Identity is an account as one attester knows it.
type Identity struct {
	// Subject names the account within the attester. It is turned into an
	// [Account] at once, and never stored or logged.
	Subject string
	// Once is zero for an account whose allowance renews every epoch. Otherwise
	// the account has one allowance in its life and is not accepted after Once.
	Once time.Time
}

// Attester vouches for the sender of a token request.
//
// Attest must be safe for concurrent use. It returns an error that wraps
// [ErrMalformed], [ErrRefused] or [ErrUnavailable], or the context's error. It
// must accept a repetition of a request that it accepted, for as long as it
// likes, with an equal Identity: that is how a lost reply is fetched again.
type Attester interface {
	// Scheme is the authentication scheme (RFC 9110, Section 11.1) of the
	// Authorization headers that the attester reads.
	Scheme() string
	Attest(context.Context, *Request) (Identity, error)
}
