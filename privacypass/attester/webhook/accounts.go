package webhook

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/pseudods/pseudods/privacypass/attester"
)

// Accounts asks the account system which account a verdict is about, in a POST
// request that is signed as those of an [Attester]:
//
//	{"issuer": "...", "credential": "base64", "key": "base64url"}
//
// which says by which real credential and Ed25519 key others know the accused. It is
// answered with status 200 and {"account": "..."}, or with 401, 403 or 404 if there is
// no such account. The account system learns that a report against the account was
// upheld, and nothing else.
type Accounts struct{ a *Attester }

// NewAccounts returns the way to the account system of a configuration, or an error
// that wraps [ErrConfig]. It makes no request.
func NewAccounts(c Config) (*Accounts, error) {
	a, err := New(c)
	if err != nil {
		return nil, err
	}
	return &Accounts{a}, nil
}

// Account returns what the account system calls the accused. It fails with
// [attester.ErrRefused] if there is no such account, and with
// [attester.ErrUnavailable].
func (s *Accounts) Account(ctx context.Context, v *attester.Verdict, now time.Time) (string, error) {
	body, err := json.Marshal(struct {
		Issuer     string `json:"issuer"`
		Credential []byte `json:"credential"`
		Key        string `json:"key"`
	}{v.Issuer, v.Credential, base64.URLEncoding.EncodeToString(v.Key[:])})
	if err != nil {
		return "", err
	}
	id, err := s.a.ask(ctx, body, now)
	return id.Subject, err
}

// ask sends a body and reads the account that it is answered with.
func (a *Attester) ask(ctx context.Context, body []byte, now time.Time) (attester.Identity, error) {
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	case <-ctx.Done():
		return attester.Identity{}, ctx.Err()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.config.URL, bytes.NewReader(body))
	if err != nil {
		return attester.Identity{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(SignatureHeader, Sign(a.config.Secret, now, body))
	resp, err := a.config.Client.Do(req)
	if err != nil {
		return attester.Identity{}, fmt.Errorf("%w: no answer", attester.ErrUnavailable)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return parseReply(io.LimitReader(resp.Body, maxReply+1))
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return attester.Identity{}, fmt.Errorf("%w: by the account system", attester.ErrRefused)
	}
	return attester.Identity{}, fmt.Errorf("%w: status %d", attester.ErrUnavailable, resp.StatusCode)
}
