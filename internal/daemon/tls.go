package daemon

import (
	"crypto/tls"
	"errors"
	"net"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/netutil"
)

// TLS says where certificates come from: the files of a certificate chain and its
// key, which are read again when they change, or ACME.
type TLS struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	ACME        *ACME  `json:"acme"`
}

// ACME has certificates issued and renewed (RFC 8555) by the challenge TLS-ALPN-01
// (RFC 8737): the authority connects to port 443 of each host, which must lead to
// a listener of this program.
type ACME struct {
	// Hosts are the names to have certificates for. Connections to others are
	// refused.
	Hosts []string `json:"hosts"`
	// AcceptTerms says that the operator accepts the authority's terms of service.
	AcceptTerms bool `json:"accept_terms"`
	// Email is given to the authority, if it is not empty.
	Email string `json:"email"`
	// Directory is the authority's URL. Default: that of Let's Encrypt.
	Directory string `json:"directory"`
	// Cache is the directory for account key and certificates.
	Cache string `json:"cache"`
}

func (c *TLS) validate() error {
	switch {
	case c.ACME == nil && (c.Certificate == "" || c.Key == ""):
		return errors.New("tls needs certificate and key, or acme")
	case c.ACME != nil && (c.Certificate != "" || c.Key != ""):
		return errors.New("tls takes either certificate and key, or acme")
	case c.ACME != nil && (len(c.ACME.Hosts) == 0 || c.ACME.Cache == ""):
		return errors.New("tls.acme needs hosts and cache")
	case c.ACME != nil && !c.ACME.AcceptTerms:
		return errors.New("tls.acme needs accept_terms: the authority's terms of service are yours to accept")
	}
	return nil
}

// CheckListen reports whether an address may be listened on: without TLS it must
// be on loopback.
func CheckListen(address string, c *TLS) error {
	if c != nil {
		return c.validate()
	}
	if !OnLoopback(address) {
		return errors.New("listen must be on loopback unless tls is given")
	}
	return nil
}

// MaxConnections is how many connections an address takes where nothing else is
// configured.
const MaxConnections = 16384

// Listen opens a listener, with TLS (HTTP/2 and 1.1) if c is not nil. It has at most
// most connections open, handshakes among them; more wait in the system's queue
// until one ends.
func Listen(address string, c *TLS, most int) (net.Listener, error) {
	var config *tls.Config
	if c != nil {
		var err error
		if config, err = c.config(); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l = netutil.LimitListener(l, most)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, nil
}

func (c *TLS) config() (*tls.Config, error) {
	if c.ACME == nil {
		files := &certificate{config: *c}
		if _, err := files.get(nil); err != nil {
			return nil, err
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: files.get, NextProtos: []string{"h2", "http/1.1"}}, nil
	}
	cache, err := OpenDir(c.ACME.Cache)
	if err != nil {
		return nil, err
	}
	manager := &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(cache), HostPolicy: autocert.HostWhitelist(c.ACME.Hosts...),
		Email: c.ACME.Email, Client: &acme.Client{DirectoryURL: c.ACME.Directory},
	}
	if c.ACME.Directory == "" {
		manager.Client.DirectoryURL = autocert.DefaultACMEDirectory
	}
	config := manager.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	return config, nil
}
