package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// silence is how long a stream may bring nothing before it is taken for dead: a
// service sends an empty page at least each minute.
const silence = 2 * time.Minute

// stream is a connection on which pages of the queue come as they fill. It is one
// request: what comes continues what came.
type stream struct {
	pages    chan streamed
	cancel   context.CancelFunc
	caughtUp bool // the last page said that nothing follows
}

type streamed struct {
	page *wire.QueuePage
	err  error
}

// openStream begins a stream after the last acknowledged entry.
func (a *Account) openStream(ctx context.Context) error {
	p, err := a.provider(a.static.domain)
	if err != nil {
		return err
	}
	service, err := p.streamService(ctx)
	if err != nil {
		return err
	}
	c := a.queueCall(wire.OpReadQueue, &wire.ReadQueue{Queue: a.static.queue(), After: a.reader.cursor}, nil)
	request, err := a.compose(c, a.cfg.Now().Add(requestLife), nil)
	if err != nil {
		return err
	}
	// The stream outlives the call that opens it.
	life, cancel := context.WithCancel(a.life)
	s := &stream{pages: make(chan streamed, 1), cancel: cancel}
	go func() {
		defer close(s.pages)
		for body, err := range service.Stream(life, request) {
			page := new(wire.QueuePage)
			if err == nil && mls.UnmarshalWithin(mls.Limits{MaxBytes: len(body) + 1}, body, page) != nil {
				err = fmt.Errorf("%w: page", ErrService)
			}
			select {
			case s.pages <- streamed{page, err}:
			case <-life.Done():
			}
			if err != nil || life.Err() != nil {
				return
			}
		}
	}()
	a.reader.stream = s
	return nil
}

func (a *Account) closeStream() {
	a.reader.stream.cancel()
	a.reader.stream = nil
}

// readStream takes the next page of the stream into the buffer, and waits for one
// as read does.
func (a *Account) readStream(ctx context.Context, wait time.Duration) error {
	if a.reader.stream == nil {
		if err := a.openStream(ctx); err != nil {
			return readError(err)
		}
	}
	s := a.reader.stream
	over, dead := time.NewTimer(wait), time.NewTimer(silence)
	defer over.Stop()
	defer dead.Stop()
	for {
		next, err := s.next(ctx, over.C, dead.C)
		if errors.Is(err, errOver) {
			return nil
		}
		if err == nil {
			err = next.err
		}
		if err == nil {
			s.caughtUp = next.page.Empty
			if len(next.page.Entries) == 0 {
				dead.Reset(silence)
				continue
			}
			err = a.takePage(next.page)
		}
		if err != nil && ctx.Err() == nil {
			a.closeStream()
		}
		return readError(err)
	}
}

var errOver = errors.New("account: nothing came in time")

// next returns the next page. The wait may be over only once the stream has caught
// up with what was there when it began.
func (s *stream) next(ctx context.Context, over, dead <-chan time.Time) (next streamed, err error) {
	came := func(next streamed, ok bool) (streamed, error) {
		if !ok {
			return next, fmt.Errorf("%w: the stream has ended", httpapi.ErrTransport)
		}
		return next, nil
	}
	select {
	case next, ok := <-s.pages:
		return came(next, ok)
	default:
	}
	if !s.caughtUp {
		over = nil
	}
	select {
	case next, ok := <-s.pages:
		return came(next, ok)
	case <-over:
		return next, errOver
	case <-dead:
		return next, fmt.Errorf("%w: the stream is silent", httpapi.ErrTransport)
	case <-ctx.Done():
		return next, fmt.Errorf("%w: %w", httpapi.ErrTransport, ctx.Err())
	}
}
