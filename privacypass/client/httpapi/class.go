package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/client"
)

// maxReply bounds what is read of an answer with tokens, in octets.
const maxReply = 16 << 20

// Class is a token class of an issuer, with its directory.
type Class struct {
	issuer      *Issuer
	Description attester.ClassDescription
	keys        []privacypass.DirectoryKey
	requests    string // where to send token requests
}

// Keys returns the keys of a type whose time has come, the one to use first. It
// fails with [client.ErrKey] if the directory has a malformed one.
func (c *Class) Keys(t privacypass.TokenType, now time.Time) ([]*client.PublicKey, error) {
	var out []*client.PublicKey
	for _, k := range c.keys {
		if k.TokenType == t && k.NotBefore <= uint64(now.Unix()) {
			key, err := client.ParsePublicKey(t, k.PublicKey)
			if err != nil {
				return nil, err
			}
			out = append(out, key)
		}
	}
	return out, nil
}

// Batch returns the largest number of tokens that one request may ask for and
// that is not above most, or 0.
func (c *Class) Batch(most int) (n int) {
	for _, size := range c.Description.BatchSizes {
		if size <= most {
			n = max(n, size)
		}
	}
	return n
}

// Send sends a token request and returns the content of the answer. It may be
// called again with the same request: the issuer answers what it charged for
// with the octets it answered with before. It fails with [ErrUnreachable], a
// [*StatusError], the error of the parser if request is not of that kind, or that
// of the attestor.
func (c *Class) Send(ctx context.Context, kind privacypass.Kind, request []byte, now time.Time, a Attestor) ([]byte, error) {
	n, err := count(kind, request)
	if err != nil {
		return nil, err
	}
	authorization, err := a.Authorize(ctx, c.issuer.Description, &attester.Request{
		Issuer: c.issuer.Description.Issuer, Class: c.Description.Name, MediaType: kind.RequestMediaType(),
		Digest: sha256.Sum256(request), Tokens: n, Now: now,
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.requests, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", kind.RequestMediaType())
	req.Header.Set("Accept", kind.ResponseMediaType())
	req.Header.Set("Authorization", authorization)
	b, _, err := c.issuer.do(req, maxReply)
	return b, err
}

// count returns the number of tokens that a request asks for.
func count(kind privacypass.Kind, request []byte) (int, error) {
	switch kind {
	case privacypass.Single:
		_, err := privacypass.ParseTokenRequest(request)
		return 1, err
	case privacypass.Amortized:
		r, err := privacypass.ParseAmortizedRequest(request, privacypass.MaxAmortized)
		if err != nil {
			return 0, err
		}
		return len(r.BlindedMsgs), nil
	case privacypass.Generic:
		r, err := privacypass.ParseGenericRequest(request, privacypass.MaxAmortized)
		if err != nil {
			return 0, err
		}
		return len(r.Requests), nil
	}
	return 0, privacypass.ErrMediaType
}
