package client

import (
	"errors"

	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// events are kept until the application has them.
type events struct {
	list []Event
	// told is how many of them the application got with the last Sync. It is not
	// durable: after a crash they are told again.
	told  int
	dirty bool // differs from what is in the vault
}

func (e *events) add(event Event) {
	e.list = append(e.list, event)
	e.dirty = true
}

// tell returns all, which are told from now on.
func (e *events) tell() []Event {
	e.told = len(e.list)
	return e.list[:e.told:e.told]
}

// drop forgets those that were told, and reports whether there were any. What
// came since stays.
func (e *events) drop() bool {
	if e.told == 0 {
		return false
	}
	e.list, e.told, e.dirty = append([]Event(nil), e.list[e.told:]...), 0, true
	return true
}

// MarshalTLS encodes e.
func (e *events) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for i := range e.list {
			e.list[i].MarshalTLS(w)
		}
	})
}

// UnmarshalTLS decodes e.
func (e *events) UnmarshalTLS(r *tlscodec.Reader) {
	*e = events{}
	r.Vector(func(r *tlscodec.Reader) {
		var event Event
		event.UnmarshalTLS(r)
		e.list = append(e.list, event)
	})
}

// eventsName is that of the record of events that concern no group.
const eventsName = "client/events"

func (c *Client) loadEvents() error {
	b, err := c.cfg.Account.Vault.Get(eventsName)
	if errors.Is(err, vault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return mls.UnmarshalWithin(mls.Limits{MaxBytes: len(b)}, b, &c.events)
}

// saveDirty writes what handling a page has changed.
func (c *Client) saveDirty() error {
	if c.events.dirty {
		b, err := mls.Marshal(&c.events)
		if err != nil {
			return err
		}
		if err := c.cfg.Account.Vault.Put(eventsName, b); err != nil {
			return err
		}
		c.events.dirty = false
	}
	for _, g := range c.groups {
		if !g.dirty {
			continue
		}
		if err := g.save(); err != nil {
			return err
		}
	}
	return nil
}

// Taken tells that the application has done with the events of the last Sync,
// which do not come again.
func (c *Client) Taken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events.drop()
	for _, g := range c.groups {
		g.dirty = g.events.drop() || g.dirty
	}
	return c.saveDirty()
}

// untold reports whether there are events for the application.
func (c *Client) untold() bool {
	for _, g := range c.groups {
		if len(g.events.list) > g.events.told {
			return true
		}
	}
	return len(c.events.list) > c.events.told
}

// gathered returns all events, by group in the order in which they came. They are
// told by that.
func (c *Client) gathered() []Event {
	out := append([]Event(nil), c.events.tell()...)
	for _, g := range c.groups {
		out = append(out, g.events.tell()...)
	}
	return out
}
