package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/reports"
	shared "github.com/pseudods/pseudods/storage/postgres/reports"
)

// Moderation is no role of its own to run, but it has stores and keys of its own. It
// is where the delivery service is.
const Moderation Role = "moderation"

const reportsDir = "reports"

// ModerationConfig says what becomes of reports of abuse.
type ModerationConfig struct {
	// Off takes no reports.
	Off bool `json:"off"`
	// Dir is the directory of the store. Default: "moderation" in Data.
	Dir string `json:"dir"`
	Private
	// PublicKey is the public half of the moderation key, for operators who keep the
	// other half elsewhere: what "pseudods reports keygen" prints. Default: that of a
	// key in Keys.
	PublicKey string `json:"public_key"`
	// MaxOpen is how many reports wait for a decision at most. Default 10,000.
	MaxOpen int `json:"max_open"`
	// RetentionDays is how long a report waits for a decision before it is dropped.
	// Default 30.
	RetentionDays int `json:"retention_days"`
	// VerdictDelay is the longest of the random times that verdicts wait before they
	// are sent. Default 6 hours.
	VerdictDelay *daemon.Duration `json:"verdict_delay"`
	// Issuers are those of other providers that take verdicts of this one, by
	// domain. Who is accused there, and at no provider of these, gets no verdict.
	Issuers map[string]IssuerPlace `json:"issuers"`
	// Webhook is asked to decide. Nil: people do.
	Webhook *ModerationHook `json:"webhook"`
}

// IssuerPlace is an issuer elsewhere: its name, and the URL that verdicts are sent to.
type IssuerPlace struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// ModerationHook is the operator's system that decides reports: see
// moderation.Hook.
type ModerationHook struct {
	URL string `json:"url"`
	// Secret names the file of a secret that both know.
	Secret string `json:"secret"`
	// Later is after how long a report is asked about again that was put off.
	// Default an hour.
	Later daemon.Duration `json:"later"`
}

func (c *ModerationConfig) validate() error {
	if c.PublicKey != "" {
		if _, err := parseModerationPublic(c.PublicKey); err != nil {
			return err
		}
	}
	for domain, place := range c.Issuers {
		if domain == "" || place.Name == "" || checkURL(place.URL) != nil {
			return errors.New("moderation.issuers needs the name of each domain's issuer and the URL that takes verdicts")
		}
	}
	switch {
	case c.MaxOpen < 0 || c.RetentionDays < 0 || c.VerdictDelay != nil && *c.VerdictDelay < 0:
		return errors.New("moderation: a bound is negative")
	case c.Webhook == nil:
		return nil
	case checkURL(c.Webhook.URL) != nil:
		return errors.New("moderation.webhook.url must be https, or http on loopback")
	case c.Webhook.Secret == "":
		return errors.New("moderation.webhook.secret must name a file")
	case c.Webhook.Later < 0:
		return errors.New("moderation.webhook.later is negative")
	case c.PublicKey != "":
		return errors.New("moderation.webhook needs the moderation key here, and so no public_key")
	}
	return nil
}

// moderates reports whether reports are taken here.
func (c *Config) moderates() bool { return c.runs(DS) && !c.Moderation.Off }

// moderating is the docket of a server with its store.
type moderating struct {
	backend
	docket *moderation.Docket
	hook   *moderation.Hook // nil for none
	// courier sends verdicts.
	courier *moderation.Courier
	log     *slog.Logger
}

func openModeration(c *Config, own *host.Host, hc *http.Client, log *slog.Logger, m *metrics) (d *moderating, err error) {
	d = &moderating{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("moderation: %w", err), d.close())
		}
	}()
	secrets, err := c.openModerationKeys()
	if err != nil {
		return d, err
	}
	cfg := moderation.Config{MaxOpen: c.Moderation.MaxOpen, Retention: c.Moderation.RetentionDays, Delay: time.Duration(*c.Moderation.VerdictDelay),
		Issuers: map[string]string{},
		Observe: func(e moderation.Event) { m.report(e); d.note(e) }}
	to := &issuers{name: c.Issuer.Name, own: own, urls: map[string]string{}, http: hc}
	if own != nil || c.Issuer.URL != "" {
		cfg.Issuers[c.Domain] = c.Issuer.Name
	}
	if c.Issuer.URL != "" {
		to.urls[c.Issuer.Name] = strings.TrimSuffix(c.Issuer.URL, "/") + host.VerdictsPath
	}
	for domain, place := range c.Moderation.Issuers {
		cfg.Issuers[domain], to.urls[place.Name] = place.Name, place.URL
	}
	var keys []*seal.PrivateKey // none if they are elsewhere
	if c.Moderation.PublicKey != "" {
		cfg.Key, err = parseModerationPublic(c.Moderation.PublicKey)
	} else if keys, err = secretsOf(secrets, moderationFiles, parseModerationKey); err == nil {
		cfg.Key = keys[0].Public()
	}
	if err != nil {
		return d, err
	}
	if cfg.Secret, err = secrets.Secret(docketFile); err != nil {
		return d, err
	}
	if cfg.Store, err = d.open(c); err != nil {
		return d, err
	}
	if d.docket, err = moderation.New(cfg); err != nil {
		return d, err
	}
	verdictKeys, err := secretsOf(secrets, verdictFiles, parseVerdictKey)
	if err != nil {
		return d, err
	}
	every := min(10*time.Second, max(50*time.Millisecond, cfg.Delay/16))
	d.courier = moderation.NewCourier(d.docket, moderation.CourierConfig{Key: verdictKeys[0], To: to, Every: every})
	if hook := c.Moderation.Webhook; hook != nil {
		s, err := daemon.SecretFile(hook.Secret)
		if err != nil {
			return d, err
		}
		d.hook, err = moderation.NewHook(d.docket, moderation.HookConfig{URL: hook.URL, Secret: s, Keys: keys, Later: time.Duration(hook.Later)})
		if err != nil {
			return d, err
		}
	}
	return d, nil
}

// open opens the store. A database needs no fence: one that is put back takes and
// decides again what it has forgotten, and issuers know verdicts that they had.
func (d *moderating) open(c *Config) (moderation.Store, error) {
	var err error
	if c.Moderation.Database.Used() {
		if d.database, err = openDatabase(Moderation, &c.Moderation.Database); err != nil {
			return nil, err
		}
		return shared.New(d.database), nil
	}
	storageKey, err := readStorageKey(c.StorageKey)
	if err != nil {
		return nil, err
	}
	d.embedded, err = badger.Open(badger.Config{Dir: daemon.Dir(c.Moderation.Dir).Path(reportsDir), Format: reports.Format,
		Key: storageKey, Fence: c.Moderation.fence(reportsDir), OnRollback: reports.OnRollback, MinFree: c.MinFree})
	if err != nil {
		return nil, err
	}
	return reports.New(d.embedded), nil
}

// note logs what an operator should know: decisions, and what did not work.
func (d *moderating) note(e moderation.Event) {
	switch e {
	case moderation.WasUpheld, moderation.WasDismissed, moderation.WasExpired, moderation.VerdictSent:
		d.log.Info("report: " + string(e))
	case moderation.NoRoom, moderation.Unrouted, moderation.VerdictDelayed, moderation.VerdictRefused, moderation.VerdictExpired:
		d.log.Warn("report: " + string(e))
	}
}

// ask has the webhook decide until ctx is done, if there is one.
func (d *moderating) ask(ctx context.Context) {
	if d.hook != nil {
		d.hook.Run(ctx, func(err error) { d.log.Warn("reports not decided", "error", err) })
	}
}

// send sends verdicts until ctx is done.
func (d *moderating) send(ctx context.Context) {
	d.courier.Run(ctx, func(err error) { d.log.Error("verdicts not sent", "error", err) })
}

// issuers take verdicts: the one here, and those elsewhere.
type issuers struct {
	name string
	own  *host.Host // nil if it is elsewhere
	urls map[string]string
	http *http.Client
}

var _ moderation.Issuers = (*issuers)(nil)

// verdictTimeout bounds the sending of one verdict.
const verdictTimeout = 30 * time.Second

// Deliver implements moderation.Issuers.
func (i *issuers) Deliver(ctx context.Context, issuer string, signed []byte) error {
	if i.own != nil && issuer == i.name {
		return i.own.TakeVerdict(ctx, signed)
	}
	u, ok := i.urls[issuer]
	if !ok { // it was in the configuration when the report was upheld
		return fmt.Errorf("%w: the issuer is not configured any more", attester.ErrVerdict)
	}
	ctx, cancel := context.WithTimeout(ctx, verdictTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader(signed))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	res, err := i.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10))
	return host.VerdictError(res.StatusCode)
}

// tend forgets what has expired until ctx is done.
func (d *moderating) tend(ctx context.Context) {
	var expired time.Time
	for range ticks(ctx, time.Second) {
		if time.Since(expired) < maintainEvery {
			continue
		}
		expired = time.Now()
		if err := d.docket.Expire(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("reports not looked through", "error", err)
		}
	}
}

func (d *moderating) ready() error { return d.backend.ready(reportsDir) }
