package daemon

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pseudods/pseudods/internal/secret"
)

// Admin is the handler of the listener that only the operator reaches. Programs
// add paths of their own.
//
//	GET  /metrics     Prometheus
//	GET  /healthz     200 while the process runs
//	GET  /readyz      200 while the program can do its work, else 503
type Admin struct {
	*http.ServeMux
	draining atomic.Bool
}

// NewAdmin returns the handler; ready says why the program cannot do its work.
func NewAdmin(gatherer prometheus.Gatherer, ready func() error) *Admin {
	a := &Admin{ServeMux: http.NewServeMux()}
	a.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	a.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	a.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		err := ready()
		if a.draining.Load() {
			err = errors.New("draining")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ready\n")
	})
	return a
}

// Drain makes /readyz say from now on that the program is about to end.
func (a *Admin) Drain() { a.draining.Store(true) }

// AdminFile is the secret in a data directory by which an operator's programs are
// known at the admin listener: see [Authorize].
const AdminFile = "admin.secret"

// Authorize lets a request say that its sender knows the secret.
func Authorize(r *http.Request, key secret.Bytes) {
	r.Header.Set("Authorization", "Bearer "+base64.URLEncoding.EncodeToString(key.Reveal()))
}

// Authorized reports whether the request's sender knows the secret, and answers if
// not.
func Authorized(w http.ResponseWriter, r *http.Request, key secret.Bytes) bool {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	b, err := base64.URLEncoding.Strict().DecodeString(text)
	if ok && err == nil && key.Equal(secret.New(b)) {
		return true
	}
	http.Error(w, "the admin secret is needed", http.StatusUnauthorized)
	return false
}
