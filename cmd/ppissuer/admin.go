package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester"
)

const (
	reductionsPath = "/reductions"
	maxReduction   = 8 << 10
)

// admin is the handler of the listener that only the operator reaches:
//
//	GET  /metrics     Prometheus
//	GET  /healthz     200 while the process runs
//	GET  /readyz      200 while tokens can be issued, else 503
//	POST /reductions  a reduction as JSON, with "Authorization: Bearer" and the
//	                  content of admin.secret
func (s *service) admin(registry *prometheus.Registry, key secret.Bytes, draining *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		err := s.ready()
		if draining.Load() {
			err = errors.New("draining")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ready\n")
	})
	mux.HandleFunc("POST "+reductionsPath, func(w http.ResponseWriter, r *http.Request) {
		if !authorized(r, key) {
			http.Error(w, "the admin secret is needed", http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReduction))
		if err != nil {
			http.Error(w, "unreadable", http.StatusBadRequest)
			return
		}
		reduction, err := parseReduction(body)
		if err == nil && !slices.Contains(s.schemes, reduction.Scheme) {
			err = errReduction
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		err = s.allowances.Reduce(r.Context(), reduction.Scheme, reduction.Subject, reduction.Percent, reduction.Epochs, time.Now())
		switch {
		case errors.Is(err, attester.ErrPolicy):
			http.Error(w, errReduction.Error(), http.StatusUnprocessableEntity)
		case err != nil:
			s.log.Error("reduction failed", "error", err)
			http.Error(w, "internal error", http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	return mux
}

func authorized(r *http.Request, key secret.Bytes) bool {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	b, err := base64.URLEncoding.Strict().DecodeString(text)
	return ok && err == nil && key.Equal(secret.New(b))
}

// reduction asks for the cut of an account's allowance. It carries no reason.
type reduction struct {
	// Scheme is the attester's, and Subject the account's name there: what a "sub"
	// claim or the account system says, or an account key in base64url.
	Scheme  string `json:"scheme"`
	Subject string `json:"subject"`
	// Percent is withheld for this epoch and the following ones, Epochs in all.
	Percent uint8 `json:"percent"`
	Epochs  int   `json:"epochs"`
}

var errReduction = errors.New("a reduction needs a scheme that is configured, a subject, 0 to 100 percent and at least one epoch")

func parseReduction(b []byte) (reduction, error) {
	var r reduction
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return reduction{}, errReduction
	}
	if _, err := decoder.Token(); err != io.EOF || r.Subject == "" {
		return reduction{}, errReduction
	}
	if r.Scheme == attester.AccountKeyScheme {
		key, err := base64.URLEncoding.Strict().DecodeString(r.Subject)
		if err != nil || len(key) != 32 {
			return reduction{}, fmt.Errorf("%w: the subject is not an account key", errReduction)
		}
		r.Subject = string(key)
	}
	return r, nil
}
