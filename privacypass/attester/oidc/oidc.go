// Package oidc is the attester of JSON Web Tokens (RFC 7519) as OpenID Connect
// providers issue them. Tokens are verified by github.com/coreos/go-oidc.
//
// A token is a bearer credential and isn't bound to the token request: whoever
// takes one from a client can use up its allowance until it expires. Tokens with
// an audience of their own for this issuer, and short lives, keep that small.
package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	upstream "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/pseudods/pseudods/privacypass/attester"
)

// Scheme is the authentication scheme: RFC 6750.
const Scheme = "Bearer"

// ErrConfig: the configuration cannot be used.
var ErrConfig = errors.New("oidc: invalid configuration")

// Config of an [Attester]. Exactly one of KeySet and KeysURL is needed.
type Config struct {
	// Issuer is the required value of the claim "iss".
	Issuer string
	// Audience is the required member of the claim "aud".
	Audience string
	// Algorithms that a token may be signed with. Default RS256, ES256, EdDSA.
	// Symmetric ones and "none" are not possible.
	Algorithms []string
	// KeySet is a JSON Web Key Set (RFC 7517, Section 5) of the public keys.
	KeySet []byte
	// KeysURL is where such a set is fetched from: at the first token, and when
	// a token names an unknown key, at most every 10 seconds.
	KeysURL string
	// Client makes the requests to KeysURL. Default: 5 seconds, no redirects.
	Client *http.Client
}

// Attester accepts the tokens of one provider. An account is a "sub" claim.
type Attester struct {
	config Config
	keys   upstream.KeySet
}

var _ attester.Attester = (*Attester)(nil)

// New returns the attester of a configuration, or an error that wraps
// [ErrConfig]. It makes no request.
func New(c Config) (*Attester, error) {
	if c.Issuer == "" || c.Audience == "" {
		return nil, fmt.Errorf("%w: issuer and audience are required", ErrConfig)
	}
	if (len(c.KeySet) == 0) == (c.KeysURL == "") {
		return nil, fmt.Errorf("%w: either a key set or its URL is required", ErrConfig)
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{upstream.RS256, upstream.ES256, upstream.EdDSA}
	}
	for _, alg := range c.Algorithms {
		switch alg {
		case upstream.RS256, upstream.RS384, upstream.RS512, upstream.PS256, upstream.PS384, upstream.PS512,
			upstream.ES256, upstream.ES384, upstream.ES512, upstream.EdDSA:
		default:
			return nil, fmt.Errorf("%w: algorithm %q", ErrConfig, alg)
		}
	}
	a := &Attester{config: c}
	if c.KeysURL != "" {
		if err := attester.CheckURL(c.KeysURL); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		a.keys = newRemote(c.KeysURL, c.Client)
		return a, nil
	}
	static, err := parseKeySet(c.KeySet)
	a.keys = static
	return a, err
}

func parseKeySet(b []byte) (*upstream.StaticKeySet, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("%w: key set: %w", ErrConfig, err)
	}
	if len(set.Keys) == 0 {
		return nil, fmt.Errorf("%w: key set holds no keys", ErrConfig)
	}
	static := new(upstream.StaticKeySet)
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() {
			return nil, fmt.Errorf("%w: key set holds a key that is not a valid public key", ErrConfig)
		}
		static.PublicKeys = append(static.PublicKeys, k.Key)
	}
	return static, nil
}

// Scheme returns [Scheme].
func (a *Attester) Scheme() string { return Scheme }

// Attest accepts `Bearer token`.
func (a *Attester) Attest(ctx context.Context, r *attester.Request) (attester.Identity, error) {
	token, err := attester.Token68(r.Authorization, Scheme)
	if err != nil {
		return attester.Identity{}, err
	}
	// The verifier flattens the errors of its key set; this keeps them.
	keys := &recorder{keys: a.keys}
	verifier := upstream.NewVerifier(a.config.Issuer, keys, &upstream.Config{
		ClientID:             a.config.Audience,
		SupportedSigningAlgs: a.config.Algorithms,
		Now:                  func() time.Time { return r.Now },
	})
	verified, err := verifier.Verify(ctx, token)
	switch {
	case errors.Is(keys.err, attester.ErrUnavailable):
		return attester.Identity{}, attester.ErrUnavailable
	case ctx.Err() != nil:
		return attester.Identity{}, ctx.Err()
	case err != nil:
		// The verifier's errors quote claims, and claims name people.
		return attester.Identity{}, fmt.Errorf("%w: token not valid", attester.ErrRefused)
	case verified.Subject == "":
		return attester.Identity{}, fmt.Errorf("%w: token names no subject", attester.ErrRefused)
	}
	return attester.Identity{Subject: verified.Subject}, nil
}

type recorder struct {
	keys upstream.KeySet
	err  error
}

func (r *recorder) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := r.keys.VerifySignature(ctx, jwt)
	r.err = err
	return payload, err
}

// Authorization returns the Authorization header value that presents a token.
func Authorization(token string) string { return Scheme + " " + token }
