package daemon

import (
	"crypto/tls"
	"os"
	"sync"
	"time"
)

// certificate is a pair of files that are read again when they have changed,
// which is looked for once a minute at most. A pair that doesn't fit leaves the
// old one in use: renewal replaces two files, not at once.
type certificate struct {
	config TLS

	// mu guards the rest.
	mu      sync.Mutex
	current *tls.Certificate
	looked  time.Time
	changed [2]time.Time
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && time.Since(c.looked) < time.Minute {
		return c.current, nil
	}
	c.looked = time.Now()
	var changed [2]time.Time
	for i, name := range []string{c.config.Certificate, c.config.Key} {
		info, err := os.Stat(name)
		if err != nil {
			return c.current, c.unless(err)
		}
		changed[i] = info.ModTime()
	}
	if c.current != nil && changed == c.changed {
		return c.current, nil
	}
	pair, err := tls.LoadX509KeyPair(c.config.Certificate, c.config.Key)
	if err != nil {
		return c.current, c.unless(err)
	}
	c.current, c.changed = &pair, changed
	return c.current, nil
}

// unless returns err if there is no pair to go on with.
func (c *certificate) unless(err error) error {
	if c.current != nil {
		return nil
	}
	return err
}
