package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/reports"
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
	// Webhook is asked to decide. Nil: people do.
	Webhook *ModerationHook `json:"webhook"`
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
	docket *moderation.Docket
	db     *badger.DB
	hook   *moderation.Hook // nil for none
	log    *slog.Logger
}

func openModeration(c *Config, log *slog.Logger, m *metrics) (d *moderating, err error) {
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
		Issuers: map[string]string{c.Domain: c.Issuer.Name},
		Observe: func(e moderation.Event) { m.report(e); d.note(e) }}
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
	d.db, err = badger.Open(badger.Config{Dir: daemon.Dir(c.Moderation.Dir).Path(reportsDir), Format: reports.Format,
		Fence: c.Moderation.fence(reportsDir), OnRollback: reports.OnRollback, MinFree: c.MinFree})
	if err != nil {
		return d, err
	}
	cfg.Store = reports.New(d.db)
	if d.docket, err = moderation.New(cfg); err != nil {
		return d, err
	}
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

func (d *moderating) ready() error { return health(reportsDir, d.db.Stats()) }

func (d *moderating) close() error {
	if d.db == nil {
		return nil
	}
	return d.db.Close()
}
