package client

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// poll is a wait for the queue that others may cut short.
type poll struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the queue is no longer read
}

// Sync takes what has arrived, waiting up to the given time if there is nothing,
// and does what the client owes to its groups. It returns what happened since
// the last call; with the next call, or [Client.Taken], those events count as
// taken. Otherwise they come again when the client is opened the next time.
//
// Errors are those of the queue service; events that were gathered before are
// returned with them. It fails with [account.ErrReplaced] if another process
// reads the queue.
func (c *Client) Sync(ctx context.Context, wait time.Duration) ([]Event, error) {
	c.syncing.Lock()
	defer c.syncing.Unlock()
	if err := c.Taken(); err != nil {
		return nil, err
	}
	in, reads, err := c.poll(ctx, wait)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.reads != reads: // somebody else has handled what came
		err = c.receive(ctx, 0)
	case err == nil:
		err = c.handlePage(ctx, in)
	}
	for err == nil && len(in) > 0 { // the rest, so that what is owed is known
		before := c.reads
		if in, err = c.account.Receive(ctx, 0); err == nil {
			err = c.handlePage(ctx, in)
		}
		if c.reads == before {
			break
		}
	}
	if err == nil {
		err = c.settle(ctx)
	}
	return c.gathered(), err
}

// poll waits for a page, unless something is to be told anyway.
func (c *Client) poll(ctx context.Context, wait time.Duration) ([]account.Incoming, uint64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &poll{cancel: cancel, done: make(chan struct{})}
	c.mu.Lock()
	if c.untold() {
		wait = 0
	}
	c.polling = p
	reads := c.reads
	c.mu.Unlock()
	in, err := c.account.Receive(ctx, wait)
	close(p.done)
	return in, reads, err
}

// receive takes what has arrived, while mu is held.
func (c *Client) receive(ctx context.Context, wait time.Duration) error {
	if p := c.polling; p != nil {
		c.polling = nil
		p.cancel()
		<-p.done
	}
	in, err := c.account.Receive(ctx, wait)
	if err != nil {
		return err
	}
	return c.handlePage(ctx, in)
}

// handlePage handles entries in order and acknowledges them once what they say is
// durable. An entry whose handling needs a service that does not answer stays,
// with all that follow it.
func (c *Client) handlePage(ctx context.Context, in []account.Incoming) error {
	c.reads++
	var last uint64
	var failed error
	for i := range in {
		if failed = c.handle(ctx, &in[i]); failed != nil {
			break
		}
		last = in[i].Seq
	}
	if err := c.saveDirty(); err != nil {
		return errors.Join(failed, err)
	}
	if last > 0 {
		failed = errors.Join(failed, c.account.Ack(ctx, last))
	}
	return failed
}

// handle takes one entry. What is malformed or meant for nobody here is dropped.
func (c *Client) handle(ctx context.Context, in *account.Incoming) error {
	if in.Lost {
		for _, g := range c.groups {
			if g.state == StateActive || g.state == StateLeaving {
				g.tell(Event{Kind: EventLost})
			}
		}
	}
	switch {
	case in.Contact != nil:
		kind := EventOffer
		if in.Contact.State == account.ContactAccepted {
			kind = EventContact
		}
		c.events.add(Event{Kind: kind, Member: Member{Name: in.Contact.Name}, Text: in.Contact.Greeting})
		return nil
	case len(in.Devices) > 0:
		for _, d := range in.Devices {
			kind := EventDevice
			if d.Removed {
				kind = EventDeviceRemoved
			}
			c.events.add(Event{Kind: kind, Text: []byte(d.Name)})
		}
		return nil
	case errors.Is(in.Err, account.ErrLink):
		c.events.add(Event{Kind: EventRefused, Text: []byte("somebody has used a link code that was used before or is too old: they have this user's identity")})
		return nil
	case errors.Is(in.Err, account.ErrIdentityChanged), errors.Is(in.Err, account.ErrTooManyAsked):
		c.refuse(Event{Kind: EventRefused, Text: []byte(in.Err.Error())})
		return nil
	case in.Err != nil || in.Fanout == nil:
		return nil
	case in.Fanout.Kind == wire.FanoutWelcome:
		return c.welcome(ctx, in)
	}
	if g := c.groups[in.Fanout.Group]; g != nil && g.domain == in.Fanout.Domain {
		return g.take(ctx, in)
	}
	return nil
}

// refuse tells of what was not taken, once for what comes again and again.
func (c *Client) refuse(e Event) {
	if n := len(c.events.list); n > 0 {
		if last := &c.events.list[n-1]; last.Kind == e.Kind && last.Group == e.Group && string(last.Text) == string(e.Text) {
			return
		}
	}
	c.events.add(e)
}

// settle does what is owed to groups once all that arrived is known.
func (c *Client) settle(ctx context.Context) error {
	var failed error
	for _, g := range c.groups {
		failed = errors.Join(failed, g.settle(ctx))
	}
	return errors.Join(failed, c.settleDevices(ctx))
}
