package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// metrics are the server's. Their labels are of fixed sets: nothing that a client
// sends is one.
type metrics struct {
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pseudods_requests_total", Help: "Requests by path and error code, 0 for none."}, []string{"path", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pseudods_request_seconds", Help: "Time from the request's first octet to the answer's last.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}}, []string{"path"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pseudods_deliveries_total", Help: "Recipients of messages by what became of it."}, []string{"outcome"}),
	}
	registry.MustRegister(m.requests, m.seconds, m.deliveries)
	return m
}

func (m *metrics) request(path string, code wire.Code, took time.Duration) {
	m.requests.WithLabelValues(path, strconv.Itoa(int(code))).Inc()
	m.seconds.WithLabelValues(path).Observe(took.Seconds())
}

var outcomeNames = map[wire.Outcome]string{
	wire.Delivered: "delivered", wire.UnknownAddress: "unknown_address", wire.Revoked: "revoked", wire.Full: "full",
}

func (m *metrics) outcomes(counts map[wire.Outcome]int) {
	for o, n := range counts {
		if name, ok := outcomeNames[o]; ok {
			m.deliveries.WithLabelValues(name).Add(float64(n))
		}
	}
}
