package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// drainTimeout is how long requests under way may take after SIGTERM.
const drainTimeout = 30 * time.Second

// serve runs the issuer until SIGTERM or SIGINT, then lets requests under way
// end. A second signal ends the process at once.
func serve(args []string, _, stderr io.Writer) (err error) {
	f := newFlags("serve", stderr).withConfig()
	restored := f.Bool("accept-restored", false, "accept allowances that were restored from an older copy")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	data, err := openData(c.Data)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(stderr, nil))
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s, err := newService(c, data, registry, logger, *restored)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	adminSecret, err := data.secret(adminFile)
	if err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	var draining atomic.Bool
	main, err := listen(c.Listen, c.TLS)
	if err != nil {
		return err
	}
	defer main.Close()
	admin, err := net.Listen("tcp", c.AdminListen)
	if err != nil {
		return err
	}
	defer admin.Close()
	public := newServer(s.handler)
	private := newServer(s.admin(registry, adminSecret, &draining))
	failed := make(chan error, 2)
	go func() { failed <- public.Serve(main) }()
	go func() { failed <- private.Serve(admin) }()
	tended := make(chan struct{})
	go func() { s.tend(ctx); close(tended) }()

	scheme := "http://"
	if c.TLS != nil {
		scheme = "https://"
	}
	where := running{URL: scheme + main.Addr().String(), Admin: "http://" + admin.Addr().String(), PID: os.Getpid()}
	if err := data.setRunning(where); err != nil {
		return err
	}
	logger.Info("serving", "issuer", c.Name, "listen", where.URL, "admin", where.Admin, "attesters", s.schemes)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		stop() // the next signal is not caught
	}
	logger.Info("draining")
	draining.Store(true)
	time.Sleep(time.Duration(c.DrainDelay))
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err = errors.Join(public.Shutdown(drain), private.Shutdown(drain))
	<-tended
	if e := os.Remove(data.path(runningFile)); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	logger.Info("stopped")
	return err
}

// newServer bounds what a slow or endless client can hold. The server's own
// error log is dropped: its lines hold addresses of clients.
func newServer(h http.Handler) *http.Server {
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
