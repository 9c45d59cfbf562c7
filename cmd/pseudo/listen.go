package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"time"
)

// longPoll is how long one wait for the queue lasts, if the server lets it.
const longPoll = 50 * time.Second

// listenWork shows what arrives, until it is interrupted.
type listenWork struct {
	once, json bool
	length     time.Duration
}

func (w *listenWork) flags(f *flag.FlagSet) {
	f.BoolVar(&w.once, "once", false, "show what has arrived, and end")
	f.BoolVar(&w.json, "json", false, "print one JSON object for each event")
	f.DurationVar(&w.length, "for", 0, "end after a `duration` such as 90s")
}

func (w *listenWork) take(args []string, _ terminal) error {
	if w.once && w.length != 0 || w.length < 0 {
		return usagef("-once and -for exclude each other, and a duration is positive")
	}
	return exactly(0, args)
}

func (w *listenWork) do(ctx context.Context, s *session) error {
	if w.once {
		return s.sync(ctx, 0, w.json)
	}
	if w.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.length)
		defer cancel()
	}
	c, err := s.serve(ctx)
	if err != nil {
		return err
	}
	return errors.Join(s.listen(ctx, w.json), c.close())
}

// listen shows what arrives until the context ends. It outlasts a server that is
// away.
func (s *session) listen(ctx context.Context, asJSON bool) error {
	away := time.Duration(0)
	for ctx.Err() == nil {
		err := s.sync(ctx, longPoll, asJSON)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			if away > 0 {
				s.notes.say("the server answers again")
			}
			away = 0
		case passes(err):
			if away == 0 {
				text, _ := explain(err)
				s.notes.say("%s; trying again", text)
			}
			away = min(max(2*away, 250*time.Millisecond), 30*time.Second)
			pause(ctx, away/2+rand.N(away/2))
		default:
			return err
		}
	}
	return nil
}

// sync shows what has arrived, and waits for it if there is nothing.
func (s *session) sync(ctx context.Context, wait time.Duration, asJSON bool) error {
	events, err := s.Sync(ctx, wait)
	if err := s.print(events, asJSON); err != nil {
		return err
	}
	return errors.Join(err, s.Taken())
}

// tend does what is due now and then, at times that have nothing to do with what
// the user does.
func (s *session) tend(ctx context.Context) {
	ctx = withNotes(ctx, notes{w: io.Discard})
	for next := time.Minute + rand.N(4*time.Minute); pause(ctx, next) == nil; next = 30*time.Minute + rand.N(time.Hour) {
		if err := s.Maintain(ctx); err != nil && ctx.Err() == nil && !passes(err) {
			text, _ := explain(err)
			s.notes.say("%s", text)
		}
	}
}
