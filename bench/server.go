package bench

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/pseudods/pseudods/pseudods/httpapi"
)

// server measures a whole server at saturation: each group has a sender with a
// connection of its own over HTTP on loopback, which sends its next message when
// the one before was accepted, and a message counts when it is in all queues. The
// senders' part of HTTP is on the same processors.
//
// The baseline is the same without HTTP. The share of the processors that is used
// meanwhile tells what saturates: near 1 it is they, else it is the disk's sync.
func server(ctx context.Context, e *env) error {
	for _, l := range sized(e, []load{{10, 64, []int{1 << 10}, 20_000}}, []load{{2, 256, []int{1 << 10}, 20_000}, {10, 128, []int{1 << 10}, 100_000}, {100, 64, []int{1 << 10}, 400_000}}) {
		if err := l.overHTTP(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) overHTTP(ctx context.Context, e *env) error {
	dir, remove, err := e.tempDir()
	if err != nil {
		return err
	}
	defer remove()
	s, err := newSite(dir)
	if err != nil {
		return err
	}
	defer s.close()
	crowds, err := s.newCrowds(l.groups, l.members)
	if err != nil {
		return err
	}
	size, messages := l.payloads[0], max(1, l.deliveries/l.members/l.groups)
	rate := func() (float64, error) {
		deliveries, err := l.round(ctx, s, crowds, size, messages)
		return deliveries / float64(l.members), err
	}
	if _, err := l.round(ctx, s, crowds, size, 1); err != nil {
		return err
	}
	baseline, err := best(rate)
	if err != nil {
		return err
	}
	stop, err := s.listen(l.groups)
	if err != nil {
		return err
	}
	var share float64
	value, err := best(func() (float64, error) {
		before, start := processor(), time.Now()
		r, err := rate()
		used := float64(processor()-before) / float64(time.Since(start)) / float64(runtime.GOMAXPROCS(0))
		share = max(share, used)
		return r, err
	})
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	e.emit(Result{Name: "server_messages", Members: l.members, PayloadBytes: size, Value: value, Unit: "messages/s", Baseline: baseline})
	e.emit(Result{Name: "server_processor_share", Members: l.members, PayloadBytes: size, Value: share, Unit: "of all processors"})
	return nil
}

// listen serves the delivery service over HTTP, and has the site's senders use
// that until the returned function is called.
func (s *site) listen(connections int) (stop func() error, err error) {
	handler := httpapi.NewHandler(httpapi.Config{DS: s.ds})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	transport := &http.Transport{MaxIdleConnsPerHost: connections}
	s.over, err = httpapi.NewClient("http://"+l.Addr().String(), &http.Client{Transport: transport})
	if err != nil {
		return nil, errors.Join(err, srv.Close())
	}
	return func() error {
		s.over = nil
		transport.CloseIdleConnections()
		err := srv.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}
