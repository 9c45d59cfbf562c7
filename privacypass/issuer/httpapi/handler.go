package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/keyring"
)

// Config of a [Handler]. All fields are required unless they say otherwise.
type Config struct {
	// Name is the issuer's name, as challenges give it: a host name.
	Name string
	// BaseURL is put before the paths in directories. If empty they are relative
	// to the host that the directory was fetched from, as RFC 9578 allows.
	BaseURL string
	// Classes in order; the first is the default one.
	Classes []Class
	// Keys has a slot for every class and type.
	Keys *keyring.Ring
	// Allowances has a policy for every class.
	Allowances *attester.Allowances
	// Attesters of which one must vouch, at most one of a scheme.
	Attesters []attester.Attester
	// MaxAge bounds how long a directory may be cached. It is shortened to half of
	// the schedule's lead, so that a new key is seen before it starts. Default: an
	// hour.
	MaxAge time.Duration
	// Parallel is how many requests may do private-key operations at once.
	// Default: the number of processors.
	Parallel int
	// Queue is how many more may wait for that. Default: 32 for each.
	Queue int
	// Attesting is how many requests may be with each attester at once, which may
	// wait for other systems. Default: 1024.
	Attesting int
	// Clock tells the time.
	Clock func() time.Time
	// Rand is crypto/rand.Reader outside of tests: see [issuer.Config].
	Rand io.Reader
	// Registerer takes the metrics.
	Registerer prometheus.Registerer
	// Logger takes faults. Its records hold no identifier.
	Logger *slog.Logger
}

// Class is a token class with the types of its tokens in order of preference.
type Class struct {
	Name  string
	Types []privacypass.TokenType
}

// ErrConfig is wrapped by the errors of [New].
var ErrConfig = errors.New("httpapi: invalid configuration")

// skew is how early a key is used for issuance, for clients whose clocks are
// ahead.
const skew = time.Minute

// Handler serves an issuer. It is safe for concurrent use.
type Handler struct {
	config      Config
	mux         *http.ServeMux
	attesters   map[string]*attesting // by scheme in lower case
	schemes     []string              // as WWW-Authenticate gives them
	description []byte
	metrics     *metrics
	turns       chan struct{}
	waiting     atomic.Int64 // for turns

	// mu serialises the making of views.
	mu   sync.Mutex
	view atomic.Pointer[view]
}

// attesting is an attester and how many requests are with it.
type attesting struct {
	attester.Attester
	requests atomic.Int64
}

var _ http.Handler = (*Handler)(nil)

// New returns the handler of a configuration, or an error that wraps [ErrConfig]
// or comes from the keys. Every slot must have a key.
func New(c Config) (*Handler, error) {
	if c.MaxAge == 0 {
		c.MaxAge = time.Hour
	}
	if c.Parallel == 0 {
		c.Parallel = runtime.GOMAXPROCS(0)
	}
	if c.Queue == 0 {
		c.Queue = 32 * c.Parallel
	}
	if c.Attesting == 0 {
		c.Attesting = 1024
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	h := &Handler{
		config:    c,
		mux:       http.NewServeMux(),
		attesters: make(map[string]*attesting),
		turns:     make(chan struct{}, c.Parallel),
	}
	for _, a := range c.Attesters {
		scheme := strings.ToLower(a.Scheme())
		if h.attesters[scheme] != nil {
			return nil, fmt.Errorf("%w: two attesters of scheme %s", ErrConfig, a.Scheme())
		}
		h.attesters[scheme] = &attesting{Attester: a}
		h.schemes = append(h.schemes, a.Scheme()+` realm="token issuance"`)
	}
	var err error
	if h.description, err = h.describe(); err != nil {
		return nil, err
	}
	if h.metrics, err = newMetrics(c.Registerer); err != nil {
		return nil, err
	}
	if err := h.Refresh(); err != nil {
		return nil, err
	}
	h.mux.HandleFunc("GET "+privacypass.DirectoryPath, h.serveDirectory)
	h.mux.HandleFunc("GET /{class}"+privacypass.DirectoryPath, h.serveDirectory)
	h.mux.HandleFunc("GET "+attester.DescriptionPath, h.serveDescription)
	h.mux.HandleFunc("POST /{class}"+requestPath, h.serveRequest)
	return h, nil
}

func (c *Config) validate() error {
	switch {
	case c.Name == "" || c.Keys == nil || c.Allowances == nil || c.Clock == nil || c.Rand == nil || c.Registerer == nil || c.Logger == nil:
		return fmt.Errorf("%w: a required field is missing", ErrConfig)
	case len(c.Classes) == 0 || len(c.Attesters) == 0:
		return fmt.Errorf("%w: at least one class and one attester are needed", ErrConfig)
	case c.MaxAge < 0 || c.Parallel < 0 || c.Queue < 0 || c.Attesting < 0:
		return fmt.Errorf("%w: a negative bound", ErrConfig)
	}
	for i, class := range c.Classes {
		if err := keyring.CheckClass(class.Name); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
		if slices.ContainsFunc(c.Classes[:i], func(other Class) bool { return other.Name == class.Name }) {
			return fmt.Errorf("%w: class %s twice", ErrConfig, class.Name)
		}
		if _, ok := c.Allowances.Policy(class.Name); !ok || len(class.Types) == 0 {
			return fmt.Errorf("%w: class %s has no policy or no type", ErrConfig, class.Name)
		}
	}
	return nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	h.mux.ServeHTTP(w, r)
}

// turn waits for permission to do private-key operations. Who waits holds no
// more than the parsed request; past the queue's length requests are refused at
// once, so that a flood costs memory in proportion to the queue and not to
// itself.
func (h *Handler) turn(ctx context.Context) (done func(), err error) {
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	default:
	}
	if h.waiting.Add(1) > int64(h.config.Queue) {
		h.waiting.Add(-1)
		return nil, errOverload
	}
	defer h.waiting.Add(-1)
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
