package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/httpapi"
)

// flushTimeout is how long messages on their way have before the end.
const flushTimeout = 5 * time.Second

// Server is some roles of a provider with their stores and listeners.
type Server struct {
	cfg    Config
	log    *slog.Logger
	issuer *host.Host
	qs     *queueing
	ds     *delivery
	// moderation is nil where no reports are taken.
	moderation *moderating
	admin      *daemon.Admin
	servers    daemon.Servers
	urls       map[Role]string
	at         map[string]string // role or "admin", and where it listens

	cancel context.CancelFunc // ends what Run started
	run    context.Context
	once   sync.Once
	closed error
	done   chan struct{} // closed when Run has ended, or never began
	began  sync.Once
}

// New opens or makes what the configuration asks for and listens, but answers
// nobody before Run.
func New(c Config) (_ *Server, err error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	s := &Server{cfg: c, log: c.Logger, urls: map[Role]string{}, at: map[string]string{}, done: make(chan struct{})}
	s.run, s.cancel = context.WithCancel(context.Background())
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	registry := c.Registry
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	data, err := daemon.OpenDir(c.Data)
	if err != nil {
		return nil, err
	}
	adminSecret, err := data.Secret(daemon.AdminFile)
	if err != nil {
		return nil, err
	}
	m := newMetrics(registry)
	if err := s.open(registry, m); err != nil {
		return nil, err
	}
	if err := s.listen(m); err != nil {
		return nil, err
	}
	s.admin = daemon.NewAdmin(registry, s.ready)
	s.admin.HandleFunc("POST "+backupPath, s.backup(adminSecret))
	if s.moderation != nil {
		s.moderation.docket.Register(s.admin.ServeMux, func(w http.ResponseWriter, r *http.Request) bool { return daemon.Authorized(w, r, adminSecret) })
	}
	if s.issuer != nil {
		s.admin.HandleFunc("POST "+host.ReductionsPath, s.issuer.Reduce)
	}
	admin, err := net.Listen("tcp", c.AdminListen)
	if err != nil {
		return nil, err
	}
	s.at["admin"] = "http://" + admin.Addr().String()
	s.servers.Add(admin, daemon.NewServer(s.admin))
	return s, nil
}

// open opens the roles: the issuer first, whose keys the others read, and the
// queue service before the delivery service that hands to it.
func (s *Server) open(registry prometheus.Registerer, m *metrics) error {
	c := &s.cfg
	if c.runs(Issuer) {
		data, err := daemon.OpenDir(c.Issuer.Dir)
		if err != nil {
			return err
		}
		keys, err := c.ownVerdictKeys()
		if err != nil {
			return err
		}
		storageKey, err := readStorageKey(c.StorageKey)
		if err != nil {
			return err
		}
		issuer, err := host.Open(&c.Issuer.Config, host.Options{Data: data, StorageKey: storageKey, Registry: registry, Logger: s.log, MinFree: c.MinFree, AcceptRestored: c.AcceptRestored, VerdictKeys: keys})
		if err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
		s.issuer = issuer
	}
	client := newHTTPClient()
	peers := newPeers(c, client)
	if c.runs(QS) {
		q, err := openQueueing(c, client, s.log, m, peers)
		if err != nil {
			return err
		}
		s.qs = q
	}
	if c.moderates() {
		moderation, err := openModeration(c, s.issuer, client, s.log, m)
		if err != nil {
			return err
		}
		s.moderation = moderation
	}
	if c.runs(DS) {
		d := &deliverer{count: m.peer, domain: c.Domain, ownURL: c.QS.URL, peers: peers, http: client, targets: map[string]*target{}}
		if s.qs != nil {
			d.own = s.qs.service
		}
		var reports ds.Reports
		if s.moderation != nil {
			reports = s.moderation.docket
		}
		delivery, err := openDelivery(c, client, s.log, m, reports, func(keys []*mls.SignatureKey) ds.Deliverer {
			d.signer = func() *mls.SignatureKey { return keys[0] }
			return d
		})
		if err != nil {
			return err
		}
		s.ds = delivery
		if s.qs != nil {
			s.qs.handler.senders.own = published(s.ds.keys)
		}
	}
	return registry.Register(s.stores())
}

func (s *Server) stores() (all stores) {
	if s.qs != nil {
		all = append(all, roleStores{role: QS, ready: s.qs.databaseReady(s.qs.redeemer), stats: s.qs.stats(queuesDir, s.qs.redeemer), redeemer: s.qs.redeemer})
	}
	if s.ds != nil {
		all = append(all, roleStores{role: DS, ready: s.ds.databaseReady(s.ds.redeemer), stats: s.ds.stats(groupsDir, s.ds.redeemer), redeemer: s.ds.redeemer, waiting: s.ds.dispatcher.Waiting})
	}
	if s.moderation != nil {
		all = append(all, roleStores{role: Moderation, ready: s.moderation.databaseReady(nil), stats: s.moderation.stats(reportsDir, nil), docket: s.moderation.docket})
	}
	return all
}

// listen opens the listeners: one for the roles that have none of their own, and
// one for each other address.
func (s *Server) listen(m *metrics) error {
	type listener struct {
		address string
		roles   []Role
	}
	var all []*listener
	for _, role := range s.cfg.Roles {
		address := s.place(role).Listen
		if address == "" {
			address = s.cfg.Listen
		}
		anyPort := s.place(role).Listen != "" && strings.HasSuffix(address, ":0") // is shared with nobody
		i := slices.IndexFunc(all, func(l *listener) bool { return l.address == address })
		if i < 0 || anyPort {
			all = append(all, &listener{address, []Role{role}})
		} else {
			all[i].roles = append(all[i].roles, role)
		}
	}
	for _, l := range all {
		if err := s.listenOn(l.address, l.roles, m); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) listenOn(address string, roles []Role, m *metrics) error {
	l, err := daemon.Listen(address, s.cfg.TLS, s.cfg.MaxConnections)
	if err != nil {
		return err
	}
	at := "http://" + l.Addr().String()
	if s.cfg.TLS != nil {
		at = "https://" + l.Addr().String()
	}
	for _, role := range roles {
		place := s.place(role)
		s.at[string(role)] = at
		switch {
		case place.URL != "":
			s.urls[role] = place.URL
		case place.Listen == "" && s.cfg.URL != "":
			s.urls[role] = s.cfg.URL
		default:
			s.urls[role] = at
		}
	}
	s.servers.Add(l, daemon.NewServer(s.handler(roles, m)))
	return nil
}

func (s *Server) place(r Role) *Place {
	switch r {
	case DS:
		return &s.cfg.DS.Place
	case QS:
		return &s.cfg.QS.Place
	}
	return &s.cfg.Issuer.Place
}

// handler serves some roles. Those of package httpapi share its paths; all others
// are the issuer's.
func (s *Server) handler(roles []Role, m *metrics) http.Handler {
	api := httpapi.Config{Provider: s.provider, Observe: m.request, MaxWait: time.Duration(s.cfg.QS.MaxWait)}
	if slices.Contains(roles, DS) {
		api.DS = s.ds.service
	}
	if slices.Contains(roles, QS) {
		api.QS = s.qs.handler
	}
	if slices.Contains(roles, Issuer) {
		api.Else = s.issuer
	}
	return httpapi.NewHandler(api)
}

// URL returns what the outside reaches a role by, here or elsewhere, or "".
func (s *Server) URL(r Role) string {
	if u := s.urls[r]; u != "" {
		return u
	}
	return s.place(r).URL
}

// Running says where the server listens.
func (s *Server) Running() daemon.Running {
	r := daemon.Running{Admin: s.at["admin"], Roles: map[string]string{}}
	for _, role := range s.cfg.Roles {
		r.Roles[string(role)] = s.at[string(role)]
		if s.place(role).Listen == "" || r.URL == "" {
			r.URL = s.at[string(role)]
		}
	}
	return r
}

func (s *Server) ready() error {
	var err error
	if s.issuer != nil {
		err = s.issuer.Ready()
	}
	if s.qs != nil {
		err = errors.Join(err, s.qs.ready())
	}
	if s.ds != nil {
		err = errors.Join(err, s.ds.ready())
	}
	if s.moderation != nil {
		err = errors.Join(err, s.moderation.ready())
	}
	return err
}

// Data returns the server's data directory.
func (s *Server) Data() string { return s.cfg.Data }

// IssuerDir returns the data directory of the issuer, if it runs here.
func (s *Server) IssuerDir() (daemon.Dir, bool) {
	return daemon.Dir(s.cfg.Issuer.Dir), s.issuer != nil
}
