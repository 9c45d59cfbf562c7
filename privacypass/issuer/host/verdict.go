package host

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
)

// VerdictsPath takes signed verdicts by POST, as application/octet-stream, see
// attester.Verdict. The answer is 204 for those that are taken, which says nothing
// about whether there is such an account, or whether the verdict was known; 400, 403,
// 410 and 421 for those that are malformed, forged, stale and for another issuer; and
// 503 for what may be sent again.
const VerdictsPath = "/verdicts"

// Verdicts says whose verdicts are taken and what follows from them.
type Verdicts struct {
	// Keys are the Ed25519 keys, in base64url, of the services that may send
	// verdicts, beside those that the program has itself. Without any, none are
	// taken.
	Keys []string `json:"keys"`
	// Weights are the cuts for "low", "normal" and "severe" verdicts. Those that are
	// left out have the default's.
	Weights map[string]Penalty `json:"weights"`
	// Repeat is what is added for earlier epochs with verdicts: see attester.Repeat.
	Repeat *Repeat `json:"repeat"`
	// Accounts is the account system, which knows accounts by credential or key. Nil:
	// accounts are those of the account keys alone.
	Accounts *Accounts `json:"accounts"`
}

// Penalty is an attester.Penalty.
type Penalty struct {
	Percent uint8 `json:"percent"`
	Hold    int   `json:"hold"`
	Epochs  int   `json:"epochs"`
}

// Repeat is an attester.Repeat.
type Repeat struct {
	Percent uint8  `json:"percent"`
	Epochs  uint16 `json:"epochs"`
	Most    uint8  `json:"most"`
}

// Accounts asks an account system: see webhook.Accounts.
type Accounts struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
	// Scheme is that of the attester whose accounts are meant: Account or Bearer.
	// Default Account.
	Scheme string `json:"scheme"`
}

var defaultPenalties = attester.Penalties{
	Weights: map[attester.Weight]attester.Penalty{
		attester.Low:    {Percent: 25, Hold: 1, Epochs: 3},
		attester.Normal: {Percent: 50, Hold: 2, Epochs: 7},
		attester.Severe: {Percent: 100, Hold: 7, Epochs: 28},
	},
	Repeat: attester.Repeat{Percent: 25, Epochs: 7, Most: 90},
}

var errVerdicts = errors.New("verdicts needs keys in base64url, weights low, normal and severe, and an account system with url, secret and a scheme that is configured")

// penalties returns the policy. It fails with attester.ErrPolicy or errVerdicts.
func (c *Verdicts) penalties() (p attester.Penalties, err error) {
	p = attester.Penalties{Weights: map[attester.Weight]attester.Penalty{}, Repeat: defaultPenalties.Repeat}
	for w, penalty := range defaultPenalties.Weights {
		p.Weights[w] = penalty
	}
	for name, penalty := range c.Weights {
		w, err := attester.ParseWeight(name)
		if err != nil {
			return p, errVerdicts
		}
		p.Weights[w] = attester.Penalty(penalty)
	}
	if c.Repeat != nil {
		p.Repeat = attester.Repeat(*c.Repeat)
	}
	return p, p.Validate()
}

// services returns the keys of the services.
func (c *Verdicts) services() (keys attester.Keys, err error) {
	keys = attester.Keys{}
	for _, s := range c.Keys {
		b, err := base64.URLEncoding.Strict().DecodeString(s)
		if err != nil || len(b) != ed25519.PublicKeySize {
			return nil, errVerdicts
		}
		keys[[ed25519.PublicKeySize]byte(b)] = struct{}{}
	}
	return keys, nil
}

func (c *Verdicts) validate(a *Attesters) error {
	if _, err := c.services(); err != nil {
		return err
	}
	if _, err := c.penalties(); err != nil {
		return err
	}
	switch accounts := c.Accounts; {
	case accounts == nil:
		return nil
	case attester.CheckURL(accounts.URL) != nil || accounts.Secret == "",
		accounts.scheme() == webhook.Scheme && a.Webhook == nil,
		accounts.scheme() != webhook.Scheme && (accounts.scheme() != "Bearer" || a.OIDC == nil):
		return errVerdicts
	}
	return nil
}

func (c *Accounts) scheme() string {
	if c.Scheme == "" {
		return webhook.Scheme
	}
	return c.Scheme
}

// court applies verdicts.
type court struct {
	services   attester.Keys
	penalties  attester.Penalties
	issuer     string
	allowances *attester.Allowances
	keys       attester.KeySet // nil if there are no account keys
	accounts   *webhook.Accounts
	scheme     string // of accounts
	outcomes   *prometheus.CounterVec
}

// newCourt returns nil if nobody may send verdicts.
func newCourt(c *Config, own []ed25519.PublicKey, keys attester.KeySet, allowances *attester.Allowances, registry prometheus.Registerer) (*court, error) {
	services, err := c.Verdicts.services()
	if err != nil {
		return nil, err
	}
	for _, k := range own {
		services[[ed25519.PublicKeySize]byte(k)] = struct{}{}
	}
	if len(services) == 0 {
		return nil, nil
	}
	out := &court{services: services, issuer: c.Name, allowances: allowances, keys: keys,
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "ppissuer", Name: "verdicts_total", Help: "Verdicts by what became of them."}, []string{"outcome"})}
	if out.penalties, err = c.Verdicts.penalties(); err != nil {
		return nil, err
	}
	if accounts := c.Verdicts.Accounts; accounts != nil {
		key, err := daemon.SecretFile(accounts.Secret)
		if err != nil {
			return nil, err
		}
		if out.accounts, err = webhook.NewAccounts(webhook.Config{URL: accounts.URL, Secret: key}); err != nil {
			return nil, err
		}
		out.scheme = accounts.scheme()
	}
	return out, registry.Register(out.outcomes)
}

// verdictOutcomes are the outcomes that are counted, with the errors that they come
// of.
var verdictOutcomes = []struct {
	err     error
	outcome string
	status  int
}{
	{attester.ErrRepeated, "repeated", http.StatusNoContent},
	{attester.ErrRefused, "unknown", http.StatusNoContent},
	{attester.ErrVerdictMalformed, "malformed", http.StatusBadRequest},
	{attester.ErrVerdictForged, "forged", http.StatusForbidden},
	{attester.ErrVerdictStale, "stale", http.StatusGone},
	{attester.ErrVerdictForeign, "foreign", http.StatusMisdirectedRequest},
}

// TakeVerdict applies a signed verdict. One that was applied before, and one about an
// account that is not known, are no errors: neither is the sender's business. Errors
// that wrap attester.ErrVerdict are for good.
func (h *Host) TakeVerdict(ctx context.Context, signed []byte) error {
	if h.court == nil {
		return attester.ErrVerdictForged
	}
	err := h.court.apply(ctx, signed, time.Now())
	outcome := "failed"
	if err == nil {
		outcome = "applied"
	}
	for _, o := range verdictOutcomes {
		if errors.Is(err, o.err) {
			outcome = o.outcome
			if o.status == http.StatusNoContent {
				err = nil
			}
			break
		}
	}
	h.court.outcomes.WithLabelValues(outcome).Inc()
	return err
}

// apply fails also with attester.ErrRepeated, and with attester.ErrRefused for an
// account that is not known.
func (c *court) apply(ctx context.Context, signed []byte, now time.Time) error {
	v, err := attester.OpenVerdict(signed, c.services, c.issuer, now)
	if err != nil {
		return err
	}
	scheme, subject, err := c.account(ctx, v, now)
	if err != nil {
		return err
	}
	return c.allowances.Condemn(ctx, scheme, subject, v, c.penalties, now)
}

// account resolves who is accused: the holder of an account key, if there is one of
// that key, and otherwise whom the account system names.
func (c *court) account(ctx context.Context, v *attester.Verdict, now time.Time) (scheme, subject string, err error) {
	if c.keys != nil {
		if known, err := c.keys.Has(ctx, v.Key); err != nil {
			return "", "", err
		} else if known {
			return attester.AccountKeyScheme, string(v.Key[:]), nil
		}
	}
	if c.accounts == nil {
		return "", "", fmt.Errorf("%w: no such account", attester.ErrRefused)
	}
	subject, err = c.accounts.Account(ctx, v, now)
	return c.scheme, subject, err
}

// serveVerdict answers a request with a verdict.
func (h *Host) serveVerdict(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST a verdict", http.StatusMethodNotAllowed)
		return
	}
	signed, err := io.ReadAll(http.MaxBytesReader(w, r.Body, attester.MaxVerdict))
	if err != nil {
		signed = nil // is malformed
	}
	err = h.TakeVerdict(r.Context(), signed)
	for _, o := range verdictOutcomes {
		if errors.Is(err, o.err) {
			http.Error(w, o.err.Error(), o.status)
			return
		}
	}
	if err != nil {
		if r.Context().Err() == nil && !errors.Is(err, attester.ErrUnavailable) {
			h.log.Error("verdict not applied", "error", err)
		}
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// VerdictError returns what an answer to a verdict means, or nil if it was taken.
func VerdictError(status int) error {
	if status == http.StatusNoContent {
		return nil
	}
	if i := slices.IndexFunc(verdictOutcomes, func(o struct {
		err     error
		outcome string
		status  int
	}) bool {
		return o.status == status
	}); i >= 0 {
		return verdictOutcomes[i].err
	}
	return fmt.Errorf("the issuer answered %d", status)
}
