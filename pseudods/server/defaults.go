package server

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

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
	orDefault(&c.MaxConnections, daemon.MaxConnections)
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
	orDefault(&c.Moderation.Dir, filepath.Join(c.Data, string(Moderation)))
	c.Moderation.Private.complete(c.Moderation.Dir)
	if c.Moderation.VerdictDelay == nil {
		delay := daemon.Duration(6 * time.Hour)
		c.Moderation.VerdictDelay = &delay
	}
	orDefault(&c.TokenKeys, filepath.Join(c.Issuer.Dir, host.KeysDir))
	if c.DS.Profiles == nil {
		c.DS.Profiles = []string{httpapi.ProfileName(wire.ProfilePseudonymous)}
	}
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
