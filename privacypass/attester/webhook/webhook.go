// Package webhook is the attester that asks the operator's own account system
// who a client is.
//
// The client's credential is opaque to this package. It is sent to the account
// system in a POST request:
//
//	{"credential": "...", "issuer": "...", "class": "...", "tokens": 32}
//
// which is answered with status 200 and {"account": "..."}, a stable name of the
// account, or with 401, 403 or 404 to refuse. Anything else counts as
// unavailable. The account system learns that an account fetches tokens, of
// which class and how many, and never what they are spent on.
//
// The body is authenticated to the account system by the header Webhook-Signature:
// `t=seconds,v1=hex` where hex is HMAC-SHA256, under a secret shared with it, of
// the seconds since 1970, a full stop and the body.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester"
)

// Scheme is the authentication scheme of credentials for the account system.
const Scheme = "Account"

// SignatureHeader authenticates requests to the account system.
const SignatureHeader = "Webhook-Signature"

const (
	maxReply   = 16 << 10
	maxAccount = 1 << 10
)

// ErrConfig: the configuration cannot be used.
var ErrConfig = errors.New("webhook: invalid configuration")

// Config of an [Attester].
type Config struct {
	// URL receives the requests. It must be https, or http on loopback.
	URL string
	// Secret authenticates them: at least 16 octets.
	Secret secret.Bytes
	// Parallel bounds the requests under way; more wait. Default 32.
	Parallel int
	// Client makes the requests. Default: 5 seconds, no redirects.
	Client *http.Client
}

// Attester asks one account system.
type Attester struct {
	config Config
	turns  chan struct{}
}

var _ attester.Attester = (*Attester)(nil)

// New returns the attester of a configuration, or an error that wraps
// [ErrConfig]. It makes no request.
func New(c Config) (*Attester, error) {
	if err := attester.CheckURL(c.URL); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if c.Secret.Len() < 16 {
		return nil, fmt.Errorf("%w: the secret is shorter than 16 octets", ErrConfig)
	}
	if c.Parallel == 0 {
		c.Parallel = 32
	}
	if c.Parallel < 1 {
		return nil, fmt.Errorf("%w: parallel is negative", ErrConfig)
	}
	if c.Client == nil {
		c.Client = &http.Client{
			Timeout:       5 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Attester{c, make(chan struct{}, c.Parallel)}, nil
}

// Scheme returns [Scheme].
func (a *Attester) Scheme() string { return Scheme }

type question struct {
	Credential string `json:"credential"`
	Issuer     string `json:"issuer"`
	Class      string `json:"class"`
	Tokens     int    `json:"tokens"`
}

// Attest accepts `Account credential`, where the credential is a token68.
func (a *Attester) Attest(ctx context.Context, r *attester.Request) (attester.Identity, error) {
	credential, err := attester.Token68(r.Authorization, Scheme)
	if err != nil {
		return attester.Identity{}, err
	}
	body, err := json.Marshal(question{credential, r.Issuer, r.Class, r.Tokens})
	if err != nil {
		return attester.Identity{}, err
	}
	return a.ask(ctx, body, r.Now)
}

// parseReply reads the account system's answer. Members other than "account"
// are its own business.
func parseReply(r io.Reader) (attester.Identity, error) {
	b, err := io.ReadAll(r)
	if err != nil || len(b) > maxReply {
		return attester.Identity{}, fmt.Errorf("%w: unreadable answer", attester.ErrUnavailable)
	}
	var reply struct {
		Account string `json:"account"`
	}
	if err := json.Unmarshal(b, &reply); err != nil || reply.Account == "" || len(reply.Account) > maxAccount {
		return attester.Identity{}, fmt.Errorf("%w: the answer names no account", attester.ErrUnavailable)
	}
	return attester.Identity{Subject: reply.Account}, nil
}

// Sign returns the value of [SignatureHeader] for a body sent at a time.
func Sign(key secret.Bytes, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key.Reveal())
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Authorization returns the Authorization header value that presents a
// credential, which must be a token68 (RFC 9110, Section 11.2).
func Authorization(credential string) string { return Scheme + " " + credential }
