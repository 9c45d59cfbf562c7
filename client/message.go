package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// maxOutbox is how many contents wait at most for a service that does not answer.
const maxOutbox = 256

// shortWait is for how many seconds a limit is waited for, while the client does
// nothing else.
const shortWait = 5

// Send encrypts a text and sends it to all members. When it returns nil the
// service has the message durably. If it fails with [ErrKept] the text stays in the
// group's outbox, durably, and [Client.Sync] and the next Send try again; members
// see it once.
func (g *Group) Send(ctx context.Context, text []byte) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if err := g.active(); err != nil {
		return err
	}
	return g.post(ctx, &content{kind: contentText, text: text})
}

// post puts a content into the outbox and empties that.
func (g *Group) post(ctx context.Context, c *content) error {
	if len(g.outbox) >= maxOutbox {
		return ErrOutbox
	}
	if _, err := io.ReadFull(g.c.rand, c.id[:]); err != nil {
		return err
	}
	b, err := mls.Marshal(c)
	if err != nil {
		return err
	}
	g.outbox = append(g.outbox, outgoing{content: b})
	g.remember(c.id)
	if err := g.save(); err != nil {
		g.outbox = g.outbox[:len(g.outbox)-1]
		return err
	}
	err = g.flush(ctx)
	if err != nil && slices.ContainsFunc(g.outbox, func(o outgoing) bool { return bytes.Equal(o.content, b) }) {
		return fmt.Errorf("%w: %w", ErrKept, err)
	}
	return err
}

// Outbox returns how many texts the service has not taken yet.
func (g *Group) Outbox() int { g.c.mu.Lock(); defer g.c.mu.Unlock(); return len(g.outbox) }

// flush sends what is in the outbox, in order.
func (g *Group) flush(ctx context.Context) error {
	for len(g.outbox) > 0 {
		err := g.sendOne(ctx, &g.outbox[0])
		var refused *wire.Error
		switch {
		case err == nil, errors.As(err, &refused) && refused.Code == wire.CodeTooLarge:
			g.outbox = slices.Delete(g.outbox, 0, 1)
			if err := errors.Join(err, g.save()); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

// sendOne encrypts a content in the present epoch and hands it to the service. It
// is encrypted anew for each attempt: a message of an epoch that has passed is
// refused, and no key encrypts twice.
func (g *Group) sendOne(ctx context.Context, o *outgoing) error {
	for attempt := range maxCommits {
		if err := g.resolve(ctx); err != nil {
			return err
		}
		if err := g.commitWaiting(ctx); err != nil {
			return err
		}
		if err := g.active(); err != nil {
			return err
		}
		m, err := g.encrypt(o.content)
		if err != nil {
			return err
		}
		encoded, err := mls.Marshal(m)
		if err != nil {
			return err
		}
		if err := g.save(); err != nil {
			return err
		}
		answer, err := g.call(ctx, wire.OpSendMessage, &wire.GroupMessage{Group: g.id, Message: encoded})
		var refused *wire.Error
		switch {
		case err == nil:
			g.grantAll(ctx, answer.Access)
			return nil
		case errors.As(err, &refused) && refused.Code == wire.CodeWrongEpoch:
			if err := g.catchUp(ctx, refused, attempt); err != nil {
				return err
			}
		case errors.As(err, &refused) && refused.Code == wire.CodeRateLimited && refused.RetryAfter <= shortWait && attempt < maxCommits-1:
			if err := sleep(ctx, time.Duration(refused.RetryAfter)*time.Second); err != nil {
				return err
			}
		case errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}):
			// A removal that the client has not read yet has changed the group's keys.
			if err := g.overtaken(ctx, err); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return ErrBusy
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// overtaken reads on after the service has refused a request because the group's
// keys have changed, or because the client is no member any more. It returns the
// refusal if nothing comes.
func (g *Group) overtaken(ctx context.Context, refusal error) error {
	before := g.mls.Epoch()
	for range 2 {
		if err := g.c.receive(ctx, time.Second); err != nil {
			return err
		}
		if err := g.active(); err != nil {
			return err
		}
		if g.mls.Epoch() != before {
			return nil
		}
	}
	return refusal
}
