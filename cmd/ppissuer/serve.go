package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
)

// serve runs the issuer until SIGTERM or SIGINT, then lets requests under way
// end. A second signal ends the process at once.
func serve(args []string, _, stderr io.Writer) (err error) {
	f := newFlags("serve", stderr).withConfig()
	restored := f.Bool("accept-restored", false, "accept allowances that were restored from an older copy")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	data, err := daemon.OpenDir(c.Data)
	if err != nil {
		return err
	}
	logger := daemon.NewLogger(stderr)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var storageKey secret.Bytes
	if c.StorageKey != "" {
		if storageKey, err = daemon.Dir(filepath.Dir(c.StorageKey)).ReadSecret(filepath.Base(c.StorageKey)); err != nil {
			return err
		}
	}
	h, err := host.Open(&c.Config, host.Options{Data: data, StorageKey: storageKey, Registry: registry, Logger: logger, MinFree: c.MinFree, AcceptRestored: *restored})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	public, err := daemon.Listen(c.Listen, c.TLS, c.MaxConnections)
	if err != nil {
		return err
	}
	private, err := net.Listen("tcp", c.AdminListen)
	if err != nil {
		public.Close()
		return err
	}
	admin := daemon.NewAdmin(registry, h.Ready)
	admin.HandleFunc("POST "+host.ReductionsPath, h.Reduce)
	var servers daemon.Servers
	defer servers.Close()
	servers.Add(public, daemon.NewServer(h))
	servers.Add(private, daemon.NewServer(admin))
	failed := servers.Start()
	tended := make(chan struct{})
	go func() { h.Tend(ctx); close(tended) }()

	scheme := "http://"
	if c.TLS != nil {
		scheme = "https://"
	}
	where := daemon.Running{URL: scheme + public.Addr().String(), Admin: "http://" + private.Addr().String(), PID: os.Getpid()}
	if err := data.SetRunning(where); err != nil {
		return err
	}
	logger.Info("serving", "issuer", c.Name, "listen", where.URL, "admin", where.Admin, "attesters", h.Schemes())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		stop() // the next signal is not caught
	}
	logger.Info("draining")
	admin.Drain()
	time.Sleep(time.Duration(c.DrainDelay))
	drain, cancel := context.WithTimeout(context.Background(), daemon.DrainTimeout)
	defer cancel()
	err = servers.Shutdown(drain)
	<-tended
	err = errors.Join(err, data.Stopped())
	logger.Info("stopped")
	return err
}
