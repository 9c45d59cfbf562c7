package postgres

import (
	"fmt"
	"os"
	"strings"
)

// Settings is the part of a program's configuration file that says where a role's
// stores are. Without URL they are not in PostgreSQL.
type Settings struct {
	// URL is a connection string, or names a file that holds one, which is the place
	// for one with a password.
	URL string `json:"postgres"`
	// Connections is the size of the pool. Default 8.
	Connections int `json:"connections"`
	// Accept lists risks that the operator takes: see Risk.
	Accept []Risk `json:"accept"`
	// Join says that this process is a new one beside those that use the database:
	// see FenceConfig.
	Join bool `json:"join"`
}

// Used reports whether the stores are in PostgreSQL.
func (s *Settings) Used() bool { return s.URL != "" }

// Config returns what [Open] needs.
func (s *Settings) Config() (Config, error) {
	c := Config{URL: s.URL, MaxConns: s.Connections, Accept: s.Accept}
	if !strings.HasPrefix(s.URL, "postgres://") && !strings.HasPrefix(s.URL, "postgresql://") {
		b, err := os.ReadFile(s.URL)
		if err != nil {
			return c, err
		}
		c.URL = strings.TrimSpace(string(b))
	}
	if c.URL == "" {
		return c, fmt.Errorf("%w: no connection string in %s", ErrConfig, s.URL)
	}
	_, err := c.pool()
	return c, err
}
