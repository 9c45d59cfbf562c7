package moderation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
	"github.com/pseudods/pseudods/pseudods/seal"
)

// HookConfig configures a [Hook]. URL, Secret and Keys must be set.
type HookConfig struct {
	// URL of the operator's system: https, or http on loopback.
	URL string
	// Secret authenticates requests to it: at least 16 octets.
	Secret secret.Bytes
	// Keys are the moderation keys: the one in use, and those before it.
	Keys []*seal.PrivateKey
	// Client makes the requests. Default: 10 seconds, no redirects.
	Client *http.Client
	// Later is after how long a case is asked again that the system does not decide
	// yet. Default an hour.
	Later time.Duration
	// First and Longest are how long all cases wait after the system failed to
	// answer, at first and at most, twice as long each time. Default a second and 10
	// minutes.
	First, Longest time.Duration
}

// Hook asks the operator's system to decide cases.
//
// It sends each case in a POST request, a [Shown] in JSON, with the header
// Webhook-Signature as package webhook makes it. The answer is status 200 and
//
//	{"decision": "uphold", "weight": "low" | "normal" | "severe"}
//	{"decision": "dismiss"}
//	{"decision": "later"}
//
// Anything else counts as no answer: then nothing is asked for a while. A case can be
// asked about more than once, at the latest when another process takes over, and
// may be decided by hand as well. What is not decided
// when the docket's retention is over expires.
type Hook struct {
	docket *Docket
	cfg    HookConfig
	// later is when cases are asked again that were put off. It is Run's.
	later map[CaseID]time.Time
}

const maxHookAnswer = 16 << 10

// errHook: the operator's system gave no decision.
var errHook = errors.New("moderation: no decision from the webhook")

// NewHook returns a hook for a docket's cases. It fails with [ErrConfig].
func NewHook(d *Docket, c HookConfig) (*Hook, error) {
	if err := attester.CheckURL(c.URL); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if c.Secret.Len() < 16 || len(c.Keys) == 0 {
		return nil, fmt.Errorf("%w: a webhook needs a secret of 16 octets and the moderation key", ErrConfig)
	}
	if c.Client == nil {
		c.Client = &http.Client{
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	for _, x := range []struct {
		v *time.Duration
		d time.Duration
	}{{&c.Later, time.Hour}, {&c.First, time.Second}, {&c.Longest, 10 * time.Minute}} {
		if *x.v == 0 {
			*x.v = x.d
		}
	}
	return &Hook{d, c, map[CaseID]time.Time{}}, nil
}

// hookEvery is how often cases are looked for that were put off, or that another
// process has taken.
const hookEvery = 5 * time.Second

// Run asks about cases until ctx is done. Failures are told to report.
func (h *Hook) Run(ctx context.Context, report func(error)) {
	defer h.docket.leave(ctx, Asking)
	wait := time.Duration(0)
	for {
		pause := hookEvery
		switch err := h.Round(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			report(err)
			wait = min(max(2*wait, h.cfg.First), h.cfg.Longest)
			pause = wait + time.Duration(rand.Float64()*float64(wait)/2)
		default:
			wait = 0
		}
		added := h.docket.added
		if wait > 0 {
			added = nil // a new case does not cut the pause short
		}
		select {
		case <-ctx.Done():
			return
		case <-added:
		case <-time.After(pause):
		}
	}
}

// Round asks once about each case that is due, until one gets no answer. Where
// processes share the store it asks while the duty is this one's.
func (h *Hook) Round(ctx context.Context) error {
	if mine, err := h.docket.claim(ctx, Asking, dutyLease); err != nil || !mine {
		return err
	}
	there := map[CaseID]bool{}
	err := h.docket.each(ctx, func(l *Listed) error {
		there[l.ID] = true
		if h.docket.cfg.Now().Before(h.later[l.ID]) {
			return nil
		}
		return h.ask(ctx, l)
	})
	if err == nil {
		for id := range h.later {
			if !there[id] {
				delete(h.later, id)
			}
		}
	}
	return err
}

// ask asks about one case. One that does not open is left to people.
func (h *Hook) ask(ctx context.Context, l *Listed) error {
	now := h.docket.cfg.Now()
	opened, err := OpenWith(h.cfg.Keys, l.ID, &l.Case)
	if err != nil {
		h.later[l.ID] = now.Add(h.cfg.Later)
		return nil
	}
	// Again before each: the asking about one may take as long as a claim holds.
	if mine, err := h.docket.claim(ctx, Asking, dutyLease); err != nil || !mine {
		return err
	}
	o, decided, err := h.send(ctx, Show(l.ID, &l.Case, Outcome{}, opened), now)
	if err != nil {
		h.later[l.ID] = now.Add(h.cfg.Longest) // the others first
		return err
	}
	if !decided {
		h.later[l.ID] = now.Add(h.cfg.Later)
		return nil
	}
	err = h.docket.Decide(ctx, l.ID, o, opened.Opening())
	if errors.Is(err, ErrDecided) { // by somebody else meanwhile
		return nil
	}
	return err
}

func (h *Hook) send(ctx context.Context, s *Shown, now time.Time) (o Outcome, decided bool, err error) {
	body, err := json.Marshal(s)
	if err != nil {
		return o, false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return o, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(webhook.SignatureHeader, webhook.Sign(h.cfg.Secret, now, body))
	res, err := h.cfg.Client.Do(req)
	if err != nil {
		return o, false, errHook // the error names the address
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxHookAnswer+1))
	if err != nil || res.StatusCode != http.StatusOK || len(b) > maxHookAnswer {
		return o, false, fmt.Errorf("%w: status %d", errHook, res.StatusCode)
	}
	return parseHookAnswer(b)
}

// parseHookAnswer reads a decision. Members that are not known are the operator's
// own business.
func parseHookAnswer(b []byte) (o Outcome, decided bool, err error) {
	var a struct {
		Decision string `json:"decision"`
		Weight   string `json:"weight"`
	}
	if json.Unmarshal(b, &a) != nil {
		return o, false, errHook
	}
	switch a.Decision {
	case "uphold":
		weight, err := attester.ParseWeight(a.Weight)
		if err != nil {
			return o, false, errHook
		}
		return Outcome{Upheld, weight}, true, nil
	case "dismiss":
		return Outcome{State: Dismissed}, true, nil
	case "later":
		return o, false, nil
	}
	return o, false, errHook
}
