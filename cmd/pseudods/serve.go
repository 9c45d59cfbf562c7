package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/pseudods/server"
)

// serve runs the service until SIGTERM or SIGINT, then lets requests and messages
// under way end. A second signal ends the process at once. It prints one line with
// the URL.
func serve(args []string, stdout, stderr io.Writer) (err error) {
	f := newFlags("serve", stderr).withConfig()
	restored := f.Bool("accept-restored", false, "accept allowances of the issuer that were restored from an older copy")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	c.AcceptRestored = *restored
	c.Logger = daemon.NewLogger(stderr)
	c.Registry = prometheus.NewRegistry()
	c.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s, err := server.New(c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // the next signal is not caught
	where := s.Running()
	where.PID = os.Getpid()
	data := daemon.Dir(s.Data())
	issuer, issues := s.IssuerDir()
	if issues { // for ppissuer's commands
		err = issuer.SetRunning(daemon.Running{URL: where.Roles[string(server.Issuer)], Admin: where.Admin, PID: where.PID})
	}
	if err == nil { // last: whoever sees it may use the rest
		err = data.SetRunning(where)
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	fmt.Fprintln(stdout, where.URL)
	err = errors.Join(s.Run(ctx), data.Stopped())
	if issues {
		err = errors.Join(err, issuer.Stopped())
	}
	return err
}
