package httpapi

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/keyring"
)

// metrics are labelled by what the configuration names and by outcomes: class,
// token type, kind of request, attester's scheme, status.
type metrics struct {
	requests, tokens, repeated, attestations, directories *prometheus.CounterVec

	seconds           *prometheus.HistogramVec
	liveKeys, started *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "ppissuer", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "ppissuer", Name: name, Help: help}, labels)
	}
	m := &metrics{
		requests:     counter("requests_total", "Token requests by HTTP status.", "class", "kind", "status"),
		tokens:       counter("tokens_issued_total", "Tokens issued; type mixed is of partly answered generic batches.", "class", "type"),
		repeated:     counter("replies_repeated_total", "Requests answered with a stored reply.", "class"),
		attestations: counter("attestations_total", "Attestations by outcome.", "scheme", "outcome"),
		directories:  counter("directory_requests_total", "Requests for directories.", "class"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "ppissuer", Name: "request_seconds", Help: "Time to answer token requests that were granted.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"kind"}),
		liveKeys: gauge("keys_live", "Live keys.", "class", "type"),
		started:  gauge("keys_preferred_not_before_seconds", "Start of the preferred key, in seconds since 1970.", "class", "type"),
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.tokens, m.repeated, m.attestations, m.directories, m.seconds, m.liveKeys, m.started,
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) request(class string, kind privacypass.Kind, status int, took time.Duration) {
	m.requests.WithLabelValues(class, kind.String(), strconv.Itoa(status)).Inc()
	if status < 300 {
		m.seconds.WithLabelValues(kind.String()).Observe(took.Seconds())
	}
}

// issued counts tokens by type, which tells how many may be redeemed in a key's
// epoch.
func (m *metrics) issued(c *classView, keys []privacypass.KeyID, n int) {
	if n != len(keys) {
		m.tokens.WithLabelValues(c.name, "mixed").Add(float64(n))
		return
	}
	for _, id := range keys {
		m.tokens.WithLabelValues(c.name, c.types[id].String()).Inc()
	}
}

func (m *metrics) attestation(scheme string, err error) {
	outcome := "error"
	switch {
	case err == nil:
		outcome = "accepted"
	case errors.Is(err, attester.ErrMalformed):
		outcome = "malformed"
	case errors.Is(err, attester.ErrRefused):
		outcome = "refused"
	case errors.Is(err, attester.ErrUnavailable):
		outcome = "unavailable"
	}
	m.attestations.WithLabelValues(scheme, outcome).Inc()
}

func (m *metrics) keys(c Config, now time.Time) {
	for _, class := range c.Classes {
		for _, t := range class.Types {
			live := c.Keys.Live(keyring.Slot{Class: class.Name, Type: t}, now)
			m.liveKeys.WithLabelValues(class.Name, t.String()).Set(float64(len(live)))
			m.started.WithLabelValues(class.Name, t.String()).Set(float64(live[0].NotBefore.Unix()))
		}
	}
}
