package account

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	issuers "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Attestor is how the client pays the issuer's attester, see package
// privacypass/client/httpapi for the kinds there are.
type Attestor = issuers.Attestor

// Config of an [Account]. Vault and Attestor must be set; a zero value elsewhere
// means the default.
type Config struct {
	// Vault holds everything. It belongs to the account until Close, and is the
	// caller's to close afterwards.
	Vault    *vault.Vault
	Attestor Attestor
	// AccountKey has the identity's key vouch for the user to the issuer of the
	// account's provider, where it must be known as an account key. The issuer then
	// knows under which identity tokens are fetched, as an account system does, and
	// still not what for; and verdicts on reports find the account. Attestor is for
	// the issuers of other providers.
	AccountKey bool
	// HTTP is used for all connections. Its timeout must be longer than a minute,
	// which a read of the queue may take. Default: connections of its own for each
	// role of a service, and no redirects.
	HTTP *http.Client
	// Stream has the queue read over one connection that stays open, on which
	// entries come as they arrive, for programs that listen for long. HTTP must have
	// no timeout then.
	Stream bool
	// Verifier decides which key belongs to a real credential. Default: the one it
	// was first met with, as the vault remembers.
	Verifier identity.Verifier
	// Providers are the base URLs of domains that are not at https://domain. Plain
	// HTTP is for loopback.
	Providers map[string]string
	// Suite is the cipher suite of KeyPackages and new groups. Default
	// [mls.X25519AES128GCM]. It is fixed when the account is created.
	Suite mls.CipherSuite
	// SegmentKEM is the mechanism of the queue's key: what the queue service stores
	// is safe from it. Default [wire.X25519]. It is fixed when the account is
	// created.
	SegmentKEM wire.KEM
	// KeyPackages is how many KeyPackages, beside one of last resort, are published
	// at a time. Default 32, at most 512.
	KeyPackages int

	// Now and Rand are for tests.
	Now  func() time.Time
	Rand io.Reader
}

func (c *Config) validate() error {
	if c.Vault == nil || c.Attestor == nil {
		return fmt.Errorf("%w: Vault and Attestor must be set", ErrConfig)
	}
	if c.Suite == 0 {
		c.Suite = mls.X25519AES128GCM
	}
	if c.SegmentKEM == 0 {
		c.SegmentKEM = wire.X25519
	}
	if c.KeyPackages == 0 {
		c.KeyPackages = 32
	}
	if c.KeyPackages < 0 || c.KeyPackages > 512 {
		return fmt.Errorf("%w: number of KeyPackages", ErrConfig)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return nil
}

// store is what an account needs of its vault. Tests put in ones that fail.
type store interface {
	Get(name string) ([]byte, error)
	Put(name string, b []byte) error
	Delete(name string) error
	Names(prefix string) ([]string, error)
	File(name string) (path string, key secret.Bytes, err error)
}

var _ store = (*vault.Vault)(nil)

// validDomain reports whether a domain can be asked for over HTTPS: letters,
// digits, hyphens and dots, in lower case.
func validDomain(domain string) bool {
	if domain == "" || len(domain) > 253 || strings.Trim(domain, "-.") != domain {
		return false
	}
	return !strings.ContainsFunc(domain, func(r rune) bool {
		return r != '-' && r != '.' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}
