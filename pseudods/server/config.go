package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/tokens"
)

// Role is a part of a provider that a server may run.
type Role string

// The roles.
const (
	DS     Role = "ds"
	QS     Role = "qs"
	Issuer Role = "issuer"
)

// Roles are all roles, in the order in which a server starts them.
var Roles = []Role{Issuer, QS, DS}

// Config says what a server is. Its JSON form is the configuration file: one
// object, in which unknown members are errors. A zero value means the default.
// Paths are relative to the working directory.
type Config struct {
	// Domain names the provider in credentials, requests and tokens. Default
	// "localhost".
	Domain string `json:"domain"`
	// Roles that run here. Default: all.
	Roles []Role `json:"roles"`
	// Data is the directory of everything that has no place of its own. Default
	// "pseudods-data".
	Data string `json:"data"`
	// Listen is the address of all roles that have none of their own. Without TLS
	// it must be on loopback. Default "127.0.0.1:8060".
	Listen string `json:"listen"`
	// AdminListen is the address of metrics and health, on loopback. Default
	// "127.0.0.1:8061".
	AdminListen string `json:"admin_listen"`
	// TLS is for all listeners but the admin's. The files are read again when they
	// change.
	TLS *daemon.TLS `json:"tls"`
	// URL is what the outside reaches Listen by. Default: the address itself.
	URL string `json:"url"`
	// DrainDelay is how long the server goes on serving after it was told to stop,
	// while it reports that it is not ready.
	DrainDelay daemon.Duration `json:"drain_delay"`
	// MinFree is the free disk space, in octets, below which nothing is stored.
	// Default 512 MiB.
	MinFree uint64 `json:"min_free"`

	// Prices are the token classes and what operations cost: see DefaultPrices,
	// the default. A class buys operations of one role only.
	Prices *tokens.PriceList `json:"prices"`
	// Scope is empty, or 32 octets (base64) in the challenges of tokens: see
	// tokens.Origin.
	Scope []byte `json:"scope"`
	// TokenKeys is the directory with the issuer's keys, or a copy of it that is
	// refreshed at least once in a lead of their schedule. Default: that of the
	// issuer in Data.
	TokenKeys string `json:"token_keys"`
	// TokenDirectories are the URLs of the directories (RFC 9578, Section 4) of
	// classes whose issuer is elsewhere, by class. Their tokens are of type 0x0002,
	// which verify with public keys.
	TokenDirectories map[string]string `json:"token_directories"`
	// TokenCapacity is how many tokens the issuer makes at most with one key.
	// Default 100 million.
	TokenCapacity uint64 `json:"token_capacity"`

	DS     DSConfig     `json:"ds"`
	QS     QSConfig     `json:"qs"`
	Issuer IssuerConfig `json:"issuer"`

	// Peers are the providers that this one exchanges messages with: their domain,
	// and the URL below which their provider document is.
	Peers map[string]string `json:"peers"`

	// Push is the gateway that wakes devices. Nil for none.
	Push *PushConfig `json:"push"`

	// Logger gets what an operator should know. It is told no identifier. Default:
	// none.
	Logger *slog.Logger `json:"-"`
	// Registry takes the metrics. Default: one of its own.
	Registry *prometheus.Registry `json:"-"`
}

// Place is where a role is.
type Place struct {
	// Listen is the role's own address. Default: that of the server.
	Listen string `json:"listen"`
	// URL is what the outside reaches the role by, here or elsewhere. Default: that
	// of the listener.
	URL string `json:"url"`
	// Dir is the role's directory: stores, fences and keys. Default: the role's
	// name in Data.
	Dir string `json:"dir"`
}

// Private is where a role keeps what does not belong beside its stores.
type Private struct {
	// Keys is the directory of the role's secrets. Default "keys" in Dir.
	Keys string `json:"keys"`
	// Fences is the directory of the small files by which stores that were put back
	// from older copies are recognised. Default "fences" in Dir; another disk is
	// better.
	Fences string `json:"fences"`
}

// DSConfig configures the delivery service. The limits are those of ds.Config.
type DSConfig struct {
	Place
	Private
	MaxMembers uint32 `json:"max_members"`
	MaxMessage int    `json:"max_message"`
	PerGroup   Rate   `json:"per_group"`
	PerLeaf    Rate   `json:"per_leaf"`
	// Workers deliver to queue services at a time. Default 16.
	Workers int `json:"workers"`
}

// Rate is one request each Every, and Burst of them at once.
type Rate struct {
	Every daemon.Duration `json:"every"`
	Burst int             `json:"burst"`
}

// QSConfig configures the queue service. The limits are those of qs.Config.
type QSConfig struct {
	Place
	Private
	Mix        daemon.Duration `json:"mix"`
	MaxEntries uint32          `json:"max_entries"`
	MaxBytes   uint64          `json:"max_bytes"`
	MaxTTLDays uint16          `json:"max_ttl_days"`
	IdleDays   uint16          `json:"idle_days"`
	MaxWait    daemon.Duration `json:"max_wait"`
	MaxReaders int             `json:"max_readers"`
}

// IssuerConfig configures the issuer. Its keys are in Dir too, since they must be
// where package host keeps them; TokenKeys lets other roles read them.
type IssuerConfig struct {
	Place
	host.Config
}

// Load reads the file at path; no path means the defaults.
func Load(path string) (Config, error) {
	if path == "" {
		return Config{}, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	c, err := Parse(b)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse decodes and checks a configuration file. It fails with daemon.ErrConfig.
func Parse(b []byte) (Config, error) {
	var file struct {
		Config
		// The price list has a parser of its own, which refuses more.
		Prices json.RawMessage `json:"prices"`
	}
	if err := daemon.DecodeConfig(b, &file); err != nil {
		return Config{}, err
	}
	c := file.Config
	if len(file.Prices) > 0 && string(file.Prices) != "null" {
		list, err := tokens.ParsePriceList(file.Prices)
		if err != nil {
			return Config{}, fmt.Errorf("%w: %w", daemon.ErrConfig, err)
		}
		c.Prices = list
	}
	complete := c
	if err := complete.complete(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// complete fills in the defaults and checks the outcome.
func (c *Config) complete() error {
	orDefault(&c.Domain, "localhost")
	orDefault(&c.Data, "pseudods-data")
	orDefault(&c.Listen, "127.0.0.1:8060")
	orDefault(&c.AdminListen, "127.0.0.1:8061")
	orDefault(&c.TokenCapacity, 100_000_000)
	orDefault(&c.Issuer.Name, c.Domain)
	if c.Roles == nil {
		c.Roles = slices.Clone(Roles)
	}
	if c.Prices == nil {
		c.Prices = DefaultPrices(c.Issuer.Name)
	}
	c.Issuer.complete(defaultIssuer(c.Issuer.Name, c.Prices))
	orDefault(&c.DS.Dir, filepath.Join(c.Data, string(DS)))
	orDefault(&c.QS.Dir, filepath.Join(c.Data, string(QS)))
	orDefault(&c.Issuer.Dir, filepath.Join(c.Data, string(Issuer)))
	c.DS.Private.complete(c.DS.Dir)
	c.QS.Private.complete(c.QS.Dir)
	orDefault(&c.TokenKeys, filepath.Join(c.Issuer.Dir, host.KeysDir))
	orDefault(&c.DS.MaxMembers, 1024)
	orDefault(&c.DS.MaxMessage, 128<<10)
	orDefault(&c.QS.MaxEntries, 10_000)
	orDefault(&c.QS.MaxBytes, 16<<20)
	orDefault(&c.QS.MaxTTLDays, 30)
	orDefault(&c.QS.MaxWait, daemon.Duration(55*time.Second))
	if err := c.validate(); err != nil {
		return fmt.Errorf("%w: %w", daemon.ErrConfig, err)
	}
	return nil
}

func (p *Private) complete(dir string) {
	orDefault(&p.Keys, filepath.Join(dir, "keys"))
	orDefault(&p.Fences, filepath.Join(dir, "fences"))
}

func (c *IssuerConfig) complete(d host.Config) {
	orDefault(&c.Period, d.Period)
	orDefault(&c.Schedule.Period, d.Schedule.Period)
	orDefault(&c.Schedule.Overlap, d.Schedule.Overlap)
	orDefault(&c.Schedule.Lead, d.Schedule.Lead)
	orDefault(&c.DirectoryMaxAge, d.DirectoryMaxAge)
	c.Complete(d)
}

func (c *Config) validate() error {
	if strings.ContainsAny(c.Domain, " /,\"\\") || len(c.Domain) > 253 {
		return errors.New("domain must be a host name")
	}
	for i, r := range c.Roles {
		if !slices.Contains(Roles, r) || slices.Contains(c.Roles[:i], r) {
			return fmt.Errorf("%q is no role, or stands twice", r)
		}
	}
	if len(c.Roles) == 0 {
		return errors.New("roles is empty")
	}
	for _, address := range []string{c.Listen, c.DS.Listen, c.QS.Listen, c.Issuer.Listen} {
		if address == "" {
			continue
		}
		if err := daemon.CheckListen(address, c.TLS); err != nil {
			return err
		}
	}
	if !daemon.OnLoopback(c.AdminListen) {
		return errors.New("admin_listen must be on loopback")
	}
	for _, u := range []string{c.URL, c.DS.URL, c.QS.URL, c.Issuer.URL} {
		if u != "" && checkURL(u) != nil {
			return fmt.Errorf("%q is not a service's URL", u)
		}
	}
	for class, u := range c.TokenDirectories {
		if c.Prices.Classes[tokens.Class(class)].TokenType != privacypass.BlindRSA || checkURL(u) != nil {
			return fmt.Errorf("token_directories: %q: want a class of type %v and a URL", class, privacypass.BlindRSA)
		}
	}
	if c.Push != nil {
		push := *c.Push
		c.Push = &push
		if err := push.validate(); err != nil {
			return err
		}
	}
	for domain, u := range c.Peers {
		if err := checkURL(u); domain == "" || domain == c.Domain || err != nil {
			return fmt.Errorf("peer %q: want another domain and the URL of its provider document's host", domain)
		}
	}
	if c.DS.Dir == c.QS.Dir || c.DS.Dir == c.Issuer.Dir || c.QS.Dir == c.Issuer.Dir {
		return errors.New("two roles have the same dir")
	}
	if c.runs(DS) && !c.runs(QS) && c.QS.URL == "" {
		return errors.New("qs.url must say where the queue service is")
	}
	if n := len(c.Scope); n != 0 && n != 32 {
		return errors.New("scope must be 32 octets")
	}
	if c.DrainDelay < 0 || c.DS.Workers < 0 || c.DS.PerGroup.Every < 0 || c.DS.PerLeaf.Every < 0 || c.QS.MaxWait < 0 || c.QS.Mix < 0 {
		return errors.New("a bound is negative")
	}
	if c.runs(Issuer) {
		if err := c.Issuer.Validate(); err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
	}
	return c.validatePrices()
}

// checkURL takes https anywhere and plain HTTP on loopback alone.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return err
	case u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil,
		u.Scheme != "https" && (u.Scheme != "http" || !daemon.OnLoopback(u.Host) && !daemon.OnLoopback(u.Host+":80")):
		return errors.New("want https, or http on loopback")
	}
	return nil
}

func (c *Config) runs(r Role) bool { return slices.Contains(c.Roles, r) }
