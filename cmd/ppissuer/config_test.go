package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
)

func TestConfigDefaults(t *testing.T) {
	c, err := loadConfig("")
	if err != nil || c.validate() != nil {
		t.Fatalf("the defaults are invalid: %v, %v", err, c.validate())
	}
	c, err = parseConfig([]byte(`{"schedule": {"overlap": "24h"}}`))
	if err != nil || time.Duration(c.Schedule.Period).Hours() != 30*24 || time.Duration(c.Schedule.Overlap).Hours() != 24 || len(c.Classes) != 1 || c.Attesters.ProofOfWork == nil {
		t.Errorf("what is left out changes: %+v, %v", c, err)
	}
	c, err = parseConfig([]byte(`{"attesters": {"invite": {}}}`))
	if err != nil || c.Attesters.Invite == nil || c.Attesters.ProofOfWork != nil {
		t.Errorf("an attester that isn't named is on: %+v, %v", c, err)
	}
}

func TestConfigRefused(t *testing.T) {
	const good = `{"name": "issuer.example", "classes": [{"name": "send", "types": ["0x0005"], "tokens": 10, "batch_sizes": [5]}]}`
	if _, err := parseConfig([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := parseConfig([]byte(good[:n])); !errors.Is(err, daemon.ErrConfig) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	for name, bad := range map[string]string{
		"trailing octet":   good + "x",
		"unknown":          `{"nam": "x"}`,
		"unknown in class": strings.Replace(good, `"types"`, `"kinds"`, 1),
		"bad name":         `{"name": "a b"}`,
		"no name":          `{"name": ""}`,
		"no data":          `{"data": ""}`,
		"plain outside":    `{"listen": "192.0.2.1:80"}`,
		"all interfaces":   `{"listen": ":8040"}`,
		"admin outside":    `{"admin_listen": "192.0.2.1:80"}`,
		"half of TLS":      `{"tls": {"certificate": "x"}}`,
		"base URL":         `{"base_url": "https://issuer.example/"}`,
		"duration":         `{"period": "1 day"}`,
		"period":           `{"period": "1500ms"}`,
		"negative":         `{"parallel": -1}`,
		"no classes":       `{"classes": []}`,
		"class name":       strings.Replace(good, "send", "Send", 1),
		"type":             strings.Replace(good, "0x0005", "0x0003", 1),
		"no types":         strings.Replace(good, `["0x0005"]`, `[]`, 1),
		"batch too large":  strings.Replace(good, `"tokens": 10, "batch_sizes": [5]`, `"tokens": 2000, "batch_sizes": [2000]`, 1),
		"policy":           strings.Replace(good, "10", "4", 1),
	} {
		if _, err := parseConfig([]byte(bad)); !errors.Is(err, daemon.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
