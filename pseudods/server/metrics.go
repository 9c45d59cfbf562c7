package server

import (
	"context"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

// metrics are the server's. Their labels are of fixed sets: nothing that a client
// sends is one.
type metrics struct {
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
	peers      *prometheus.CounterVec
	pushes     *prometheus.CounterVec
	reports    *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pseudods_requests_total", Help: "Requests by role, path and error code, 0 for none."}, []string{"role", "path", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pseudods_request_seconds", Help: "Time from the request's first octet to the answer's last. That of a stream is its life.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}}, []string{"role", "path"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pseudods_deliveries_total", Help: "Recipients of messages by what became of it."}, []string{"outcome"}),
		peers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pseudods_peer_deliveries_total", Help: "Deliveries to queue services elsewhere: ok, failed, or held back because they failed lately."}, []string{"outcome"}),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pseudods_pushes_total", Help: "Pushes sent, failed, or dropped because too many waited."}, []string{"outcome"}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pseudods_reports_total", Help: "What became of reports of abuse, and of verdicts."}, []string{"event"}),
	}
	registry.MustRegister(m.requests, m.seconds, m.deliveries, m.peers, m.pushes, m.reports)
	return m
}

func (m *metrics) request(o httpapi.Observation) {
	m.requests.WithLabelValues(o.Role, o.Path, strconv.Itoa(int(o.Code))).Inc()
	m.seconds.WithLabelValues(o.Role, o.Path).Observe(o.Took.Seconds())
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

func (m *metrics) peer(outcome string) { m.peers.WithLabelValues(outcome).Inc() }
func (m *metrics) push(outcome string) { m.pushes.WithLabelValues(outcome).Inc() }

func (m *metrics) report(e moderation.Event) {
	m.reports.WithLabelValues(strings.ReplaceAll(string(e), " ", "_")).Inc()
}

var (
	storeBatches  = prometheus.NewDesc("pseudods_store_batches_total", "Synced transactions.", []string{"role", "store"}, nil)
	storeRequests = prometheus.NewDesc("pseudods_store_requests_total", "Requests that the store's committer ran.", []string{"role", "store"}, nil)
	storeUp       = prometheus.NewDesc("pseudods_store_up", "1 while the store takes writes.", []string{"role", "store"}, nil)
	tokensSpent   = prometheus.NewDesc("pseudods_tokens_spent", "Spent tokens of the class's keys that are in use.", []string{"role", "class"}, nil)
	tokensUsage   = prometheus.NewDesc("pseudods_tokens_capacity_ratio", "Spent tokens of the fullest of these keys by its capacity. Look into it above 0.8.", []string{"role", "class"}, nil)
	tokensKeys    = prometheus.NewDesc("pseudods_tokens_keys", "Keys of the class that verify tokens.", []string{"role", "class"}, nil)
	lanesWaiting  = prometheus.NewDesc("pseudods_deliveries_waiting", "Pairs of a group and a provider for which this process has messages to deliver.", nil, nil)
	reportsOpen   = prometheus.NewDesc("pseudods_reports_open", "Reports of abuse that wait for a decision.", nil, nil)
)

// stores collects the figures of all stores when they are asked for.
type stores []roleStores

type roleStores struct {
	role     Role
	ready    func() error // of a database; nil for embedded stores
	stats    map[string]func() badger.Stats
	redeemer *redeemer          // nil for none
	waiting  func() int         // of a dispatcher; nil for none
	docket   *moderation.Docket // nil for none
}

var _ prometheus.Collector = stores(nil)

// Describe implements prometheus.Collector.
func (stores) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{storeBatches, storeRequests, storeUp, tokensSpent, tokensUsage, tokensKeys, lanesWaiting, reportsOpen} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (all stores) Collect(out chan<- prometheus.Metric) {
	for _, s := range all {
		s.collect(out)
	}
}

func (s *roleStores) collect(out chan<- prometheus.Metric) {
	role := string(s.role)
	for name, stats := range s.stats {
		figures := stats()
		up := 1.0
		if figures.Failed || figures.WritesOff {
			up = 0
		}
		out <- prometheus.MustNewConstMetric(storeBatches, prometheus.CounterValue, float64(figures.Batches), role, name)
		out <- prometheus.MustNewConstMetric(storeRequests, prometheus.CounterValue, float64(figures.Requests), role, name)
		out <- prometheus.MustNewConstMetric(storeUp, prometheus.GaugeValue, up, role, name)
	}
	if s.ready != nil {
		up := 1.0
		if s.ready() != nil {
			up = 0
		}
		out <- prometheus.MustNewConstMetric(storeUp, prometheus.GaugeValue, up, role, "database")
	}
	if s.waiting != nil {
		out <- prometheus.MustNewConstMetric(lanesWaiting, prometheus.GaugeValue, float64(s.waiting()))
	}
	if s.docket != nil {
		if n, err := s.docket.Waiting(context.Background()); err == nil {
			out <- prometheus.MustNewConstMetric(reportsOpen, prometheus.GaugeValue, float64(n))
		}
	}
	if s.redeemer == nil {
		return
	}
	usage := s.redeemer.usage(context.Background())
	for class := range s.redeemer.list.Classes {
		spent, fullest := uint64(0), 0.0
		for _, u := range usage[class] {
			spent += u.Spent
			fullest = max(fullest, float64(u.Spent)/float64(u.Capacity))
		}
		out <- prometheus.MustNewConstMetric(tokensSpent, prometheus.GaugeValue, float64(spent), role, string(class))
		out <- prometheus.MustNewConstMetric(tokensUsage, prometheus.GaugeValue, fullest, role, string(class))
		out <- prometheus.MustNewConstMetric(tokensKeys, prometheus.GaugeValue, float64(len(usage[class])), role, string(class))
	}
}
