package server

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/tokens"
)

func TestDefaults(t *testing.T) {
	var c Config
	if err := c.complete(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	if len(c.Roles) != 3 || c.Domain != "localhost" || !daemon.OnLoopback(c.Listen) || !daemon.OnLoopback(c.AdminListen) {
		t.Errorf("%+v", c)
	}
	var issued []string
	for _, class := range c.Issuer.Classes {
		issued = append(issued, class.Name)
	}
	var priced []string
	for class := range c.Prices.Classes {
		priced = append(priced, string(class))
	}
	slices.Sort(priced)
	if !slices.Equal(issued, priced) || len(issued) != 6 {
		t.Errorf("issued %v, priced %v", issued, priced)
	}
	// Whatever makes something or asks something of a stranger costs.
	for _, name := range []string{"create-group", "create-queue", "connection-request", "connection-key-package", "group-key-package", "publish-key-packages",
		"add-users", "external-join", "external-commit-info", "access-request", "report-abuse"} {
		if c.Prices.Prices[name].Count != 1 {
			t.Errorf("%s costs %+v", name, c.Prices.Prices[name])
		}
	}
	if _, ok := c.Prices.Prices["send-message"]; ok {
		t.Error("a member's message costs a token")
	}
}

// TestPricesBelongToOneRole: the parts of the list have no class in common, and
// together are the list.
func TestPricesBelongToOneRole(t *testing.T) {
	c := Config{Prices: DefaultPrices("localhost")}
	groups, queues := c.pricesOf(DS), c.pricesOf(QS)
	for class := range groups.Classes {
		if _, ok := queues.Classes[class]; ok {
			t.Errorf("class %s buys at both", class)
		}
	}
	all := maps.Clone(groups.Prices)
	maps.Copy(all, queues.Prices)
	if !maps.Equal(all, c.Prices.Prices) {
		t.Errorf("the parts are %v", all)
	}
	both := DefaultPrices("localhost")
	both.Prices["create-queue"] = tokens.Price{Class: tokens.Create, Count: 1}
	c = Config{Prices: both}
	if err := c.complete(); !errors.Is(err, daemon.ErrConfig) {
		t.Errorf("a class that buys at both: %v", err)
	}
}

func TestParse(t *testing.T) {
	const good = `{"domain": "chat.example", "roles": ["ds", "qs", "issuer"], "ds": {"max_members": 50, "per_leaf": {"every": "1s", "burst": 5}},
		"issuer": {"schedule": {"lead": "2h"}, "classes": [{"name": "coin", "types": ["0x0005"], "tokens": 8, "batch_sizes": [8]}], "attesters": {"invite": {}}},
		"prices": {"classes": {"coin": {"issuer": "chat.example", "token-type": 5}}, "prices": {"create-group": {"class": "coin", "count": 2}}},
		"peers": {"other.example": "https://other.example"}}`
	c, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	if s := c.Issuer.Schedule; time.Duration(s.Lead) != 2*time.Hour || time.Duration(s.Period) != 720*time.Hour {
		t.Errorf("what is left out changes: %+v", s)
	}
	if c.Issuer.Name != "chat.example" || c.Issuer.Attesters.ProofOfWork != nil || c.Issuer.Attesters.Invite == nil || len(c.Issuer.Classes) != 1 {
		t.Errorf("%+v", c.Issuer)
	}
	for n := range good {
		if _, err := Parse([]byte(good[:n])); !errors.Is(err, daemon.ErrConfig) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	for name, bad := range map[string]string{
		"trailing octet":     good + "x",
		"unknown":            `{"domian": "x"}`,
		"unknown in a role":  `{"qs": {"max_entry": 1}}`,
		"unknown in prices":  strings.Replace(good, `"count": 2`, `"count": 2, "sum": 3`, 1),
		"no such role":       `{"roles": ["mail"]}`,
		"no roles":           `{"roles": []}`,
		"domain":             `{"domain": "a b"}`,
		"plain outside":      `{"listen": ":80"}`,
		"admin outside":      `{"admin_listen": "192.0.2.1:80"}`,
		"half of TLS":        `{"tls": {"key": "x"}}`,
		"URL":                `{"url": "http://chat.example"}`,
		"URL with a query":   `{"qs": {"url": "https://chat.example/?a"}}`,
		"scope":              `{"scope": "AAAA"}`,
		"same directory":     `{"ds": {"dir": "x"}, "qs": {"dir": "x"}}`,
		"negative":           `{"drain_delay": "-1s"}`,
		"no number":          `{"ds": {"max_members": "many"}}`,
		"half a rate":        `{"ds": {"per_leaf": {"burst": 5}}}`,
		"profile":            `{"ds": {"profiles": ["secret"]}}`,
		"not issued":         strings.Replace(good, `"name": "coin"`, `"name": "dollar"`, 1),
		"other type":         strings.Replace(good, `"0x0005"`, `"0x0001"`, 1),
		"own domain as peer": strings.Replace(good, `"other.example"`, `"chat.example"`, 1),
		"directory of VOPRF": `{"token_directories": {"send": "https://issuer.example/"}}`,
		"moderation key":     `{"moderation": {"public_key": "AAAA"}}`,
		"moderation bound":   `{"moderation": {"verdict_delay": "-1s"}}`,
		"moderation place":   `{"moderation": {"dir": "x"}, "ds": {"dir": "x"}}`,
		"webhook's secret":   `{"moderation": {"webhook": {"url": "https://moderation.example"}}}`,
		"webhook in plain":   `{"moderation": {"webhook": {"url": "http://moderation.example", "secret": "x"}}}`,
		"push":               `{"push": {"url": "https://push.example"}}`,
	} {
		if _, err := Parse([]byte(bad)); !errors.Is(err, daemon.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"roles": ["qs"], "token_keys": "keys", "qs": {"listen": "127.0.0.1:1", "max_wait": "10s"}}`))
	f.Add([]byte(`{"prices": {"classes": {"coin": {"issuer": "x", "token-type": 2}}, "prices": {"create-group": {"class": "coin", "count": 2}}}}`))
	f.Add([]byte(`{"tls": {"acme": {"hosts": ["x"], "accept_terms": true, "cache": "c"}}, "listen": ":443"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			if !errors.Is(err, daemon.ErrConfig) {
				t.Errorf("untyped error %v", err)
			}
			return
		}
		if err := c.complete(); err != nil {
			t.Errorf("%q is taken and refused: %v", b, err)
		}
		for _, address := range []string{c.Listen, c.DS.Listen, c.QS.Listen, c.Issuer.Listen} {
			if address != "" && c.TLS == nil && !daemon.OnLoopback(address) {
				t.Errorf("%q serves plain HTTP on %s", b, address)
			}
		}
		for _, u := range c.Peers {
			if parsed, err := url.Parse(u); err != nil || parsed.Scheme != "https" && !daemon.OnLoopback(parsed.Host) && !daemon.OnLoopback(parsed.Host+":80") {
				t.Errorf("%q delivers in plain to %s", b, u)
			}
		}
		for class, terms := range c.Prices.Classes {
			if c.TokenDirectories[string(class)] != "" && terms.TokenType != privacypass.BlindRSA {
				t.Errorf("%q verifies type %v with public keys", b, terms.TokenType)
			}
		}
	})
}
