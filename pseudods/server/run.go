package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
)

// ErrClosed: the server was closed, or ran before.
var ErrClosed = errors.New("server: closed")

// Run serves until ctx is done or the server fails. Then it reports that it is not
// ready, goes on for the configured delay, takes no more requests, ends waiting
// reads, lets requests and messages under way end, and closes the stores. It runs
// once.
func (s *Server) Run(ctx context.Context) (err error) {
	began := false
	s.began.Do(func() { began = true })
	if !began || s.run.Err() != nil {
		return ErrClosed
	}
	defer close(s.done)
	defer func() { err = errors.Join(err, s.release()) }()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer s.cancel()

	failed := make(chan error, 1)
	if s.issuer != nil {
		tasks.Go(func() { s.issuer.Tend(s.run) })
	}
	if s.qs != nil {
		tasks.Go(func() { s.qs.redeemer.tend(s.run) })
		tasks.Go(func() { s.qs.tend(s.run) })
		tasks.Go(func() { s.qs.service.Watch(s.run) })
		if s.qs.push != nil {
			tasks.Go(func() { s.qs.push.run(s.run) })
		}
	}
	if s.moderation != nil {
		tasks.Go(func() { s.moderation.tend(s.run) })
		tasks.Go(func() { s.moderation.ask(s.run) })
		tasks.Go(func() { s.moderation.send(s.run) })
	}
	if s.ds != nil {
		tasks.Go(func() { s.ds.redeemer.tend(s.run) })
		tasks.Go(func() {
			if err := s.ds.run(s.run); err != nil {
				failed <- err
			}
		})
	}
	serving := s.servers.Start()
	s.log.Info("serving", "domain", s.cfg.Domain, "roles", s.cfg.Roles)
	select {
	case err := <-failed:
		return err
	case err := <-serving:
		return err
	case <-s.run.Done(): // closed
		return nil
	case <-ctx.Done():
	}
	s.log.Info("draining")
	s.admin.Drain()
	sleep(s.run, time.Duration(s.cfg.DrainDelay))
	err = s.drain()
	s.log.Info("stopped")
	return err
}

// drain ends requests and messages under way.
func (s *Server) drain() error {
	if s.qs != nil {
		s.qs.service.Close()
	}
	ctx, cancel := context.WithTimeout(s.run, daemon.DrainTimeout)
	defer cancel()
	err := s.servers.Shutdown(ctx)
	if s.ds != nil {
		ctx, cancel := context.WithTimeout(s.run, flushTimeout)
		defer cancel()
		s.ds.flush(ctx)
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Close ends the server at once, without a drain, as far as that loses nothing:
// requests under way are cut, stores are closed. It may be called at any time and
// more than once.
func (s *Server) Close() error {
	s.cancel()
	s.servers.Close()
	s.began.Do(func() { close(s.done) })
	<-s.done
	return s.release()
}

// release closes listeners and stores.
func (s *Server) release() error {
	s.once.Do(func() {
		s.cancel()
		s.servers.Close()
		if s.ds != nil {
			s.closed = s.ds.close()
		}
		if s.moderation != nil {
			s.closed = errors.Join(s.closed, s.moderation.close())
		}
		if s.qs != nil {
			s.closed = errors.Join(s.closed, s.qs.close())
		}
		if s.issuer != nil {
			s.closed = errors.Join(s.closed, s.issuer.Close())
		}
	})
	return s.closed
}
