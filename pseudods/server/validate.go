package server

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

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
	if c.MaxConnections < 0 {
		return errors.New("max_connections is negative")
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
	if slices.Contains([]string{c.DS.Dir, c.QS.Dir, c.Issuer.Dir}, c.Moderation.Dir) {
		return errors.New("moderation has the dir of a role")
	}
	if err := c.validateDatabases(); err != nil {
		return err
	}
	if err := c.Moderation.validate(); err != nil {
		return err
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
	for _, r := range []Rate{c.DS.PerGroup, c.DS.PerLeaf} {
		if (r.Every == 0) != (r.Burst == 0) || r.Burst < 0 {
			return errors.New("ds.per_group and ds.per_leaf need every and burst")
		}
	}
	if _, err := c.DS.profiles(); err != nil {
		return err
	}
	if c.runs(Issuer) {
		if err := c.Issuer.Validate(); err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
	}
	return c.validatePrices()
}

// profiles returns the group profiles by number.
func (c *DSConfig) profiles() (out []wire.Profile, err error) {
	for _, name := range c.Profiles {
		i := slices.IndexFunc(allProfiles, func(p wire.Profile) bool { return httpapi.ProfileName(p) == name })
		if i < 0 {
			return nil, fmt.Errorf("ds.profiles: there is no profile %q", name)
		}
		out = append(out, allProfiles[i])
	}
	return out, nil
}

var allProfiles = []wire.Profile{wire.ProfilePseudonymous, wire.ProfileIdentified}

// maxRequest is that of ds.Config.
func (c *DSConfig) maxRequest() int64 { return max(512<<10, int64(c.MaxMembers)*128) }

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
