package daemon

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// DrainTimeout is how long requests under way may take once a program is told to
// stop.
const DrainTimeout = 30 * time.Second

// NewServer bounds what a slow or endless client can hold. The server's own
// error log is dropped: its lines hold addresses of clients.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      45 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
}

// Servers are the HTTP servers of one program.
type Servers struct {
	servers   []*http.Server
	listeners []net.Listener
	failed    chan error
}

// Add adds a server, which takes over the listener. It must come before Start.
func (s *Servers) Add(l net.Listener, server *http.Server) {
	s.servers, s.listeners = append(s.servers, server), append(s.listeners, l)
}

// Start lets all servers serve. The channel gets the error of each that ends
// before Shutdown.
func (s *Servers) Start() <-chan error {
	s.failed = make(chan error, len(s.servers))
	for i, server := range s.servers {
		go func() {
			if err := server.Serve(s.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				s.failed <- err
			}
		}()
	}
	return s.failed
}

// Shutdown takes no more connections and waits until requests under way have
// ended, or the context does; then it cuts them.
func (s *Servers) Shutdown(ctx context.Context) error {
	errs := make(chan error, len(s.servers))
	for _, server := range s.servers {
		go func() { errs <- server.Shutdown(ctx) }()
	}
	var err error
	for range s.servers {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		s.Close()
	}
	return err
}

// Close closes listeners and connections at once, also if Start was never called.
func (s *Servers) Close() {
	for i, server := range s.servers {
		server.Close()
		s.listeners[i].Close()
	}
}
