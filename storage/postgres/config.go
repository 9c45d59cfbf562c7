package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config says where a role's database is.
type Config struct {
	// URL is a connection string as libpq takes it. With several hosts the one
	// that takes writes is used, so that a failover is followed.
	URL string
	// MaxConns is the size of the pool; 0 is [DefaultConns].
	MaxConns int
	// Timeout bounds a call with its repetitions; 0 is [DefaultTimeout].
	Timeout time.Duration
	// Accept lists risks that the operator takes.
	Accept []Risk
}

// The defaults of a [Config].
const (
	DefaultConns   = 8
	DefaultTimeout = 5 * time.Second
)

// connectTimeout is how long one host may take to answer.
const connectTimeout = 2 * time.Second

func (c Config) timeout() time.Duration {
	if c.Timeout == 0 {
		return DefaultTimeout
	}
	return c.Timeout
}

// pool returns the pool's configuration.
func (c Config) pool() (*pgxpool.Config, error) {
	if c.MaxConns < 0 || c.Timeout < 0 {
		return nil, fmt.Errorf("%w: negative size or timeout", ErrConfig)
	}
	for _, r := range c.Accept {
		if !r.known() {
			return nil, fmt.Errorf("%w: no risk is called %q", ErrConfig, r)
		}
	}
	p, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		// The parser's text can hold parts of the string, which has a password.
		return nil, fmt.Errorf("%w: connection string", ErrConfig)
	}
	if p.MaxConns = DefaultConns; c.MaxConns > 0 {
		p.MaxConns = int32(c.MaxConns)
	}
	conn := p.ConnConfig
	conn.ConnectTimeout = connectTimeout
	conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	for name, value := range map[string]string{
		"default_transaction_isolation": "read committed",
		"statement_timeout":             fmt.Sprint(c.timeout().Milliseconds()),
		"client_min_messages":           "warning",
		"jit":                           "off",
	} {
		conn.RuntimeParams[name] = value
	}
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "pseudods"
	}
	conn.OnNotice = noteUnreplicated
	p.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		registerArrays(c.TypeMap())
		return nil
	}
	return p, nil
}
