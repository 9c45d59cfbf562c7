package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
)

// config is the configuration file: one JSON object, in which unknown members
// are errors. Members that are left out have the defaults of defaultConfig.
// Paths are relative to the working directory.
type config struct {
	host.Config
	// Listen is the address of the issuer. Without TLS it must be on loopback.
	Listen string `json:"listen"`
	// AdminListen is the address of metrics, health and reductions. It must be on
	// loopback.
	AdminListen string      `json:"admin_listen"`
	TLS         *daemon.TLS `json:"tls"`
	// MaxConnections is how many connections Listen has open at most.
	MaxConnections int `json:"max_connections"`
	// Data is the directory of keys, allowances and secrets that ppissuer makes
	// itself.
	Data string `json:"data"`
	// DrainDelay is how long the issuer goes on serving after SIGTERM while it
	// reports that it is not ready, for load balancers to notice.
	DrainDelay daemon.Duration `json:"drain_delay"`
	// MinFree is the free disk space, in octets, below which nothing is issued.
	// 0 means 512 MiB.
	MinFree uint64 `json:"min_free"`
	// StorageKey is a file with 32 octets in base64url that the embedded store is
	// encrypted with from its making on. Empty: it is in clear.
	StorageKey string `json:"storage_key"`
}

// defaultConfig is an issuer on loopback.
func defaultConfig() *config {
	return &config{Config: host.Default(), Listen: "127.0.0.1:8040", AdminListen: "127.0.0.1:8041", MaxConnections: daemon.MaxConnections, Data: "ppissuer-data"}
}

// loadConfig reads and checks the file at path; no path means the defaults.
func loadConfig(path string) (*config, error) {
	if path == "" {
		return defaultConfig(), nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(b []byte) (*config, error) {
	c := defaultConfig()
	defaults := c.Config
	c.Clear()
	if err := daemon.DecodeConfig(b, c); err != nil {
		return nil, err
	}
	c.Complete(defaults)
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", daemon.ErrConfig, err)
	}
	return c, nil
}

func (c *config) validate() error {
	if c.Data == "" {
		return errors.New("data must name a directory")
	}
	if err := daemon.CheckListen(c.Listen, c.TLS); err != nil {
		return err
	}
	if c.MaxConnections < 1 {
		return errors.New("max_connections must be positive")
	}
	if !daemon.OnLoopback(c.AdminListen) {
		return errors.New("admin_listen must be on loopback")
	}
	if c.DrainDelay < 0 {
		return errors.New("drain_delay is negative")
	}
	return c.Config.Validate()
}
