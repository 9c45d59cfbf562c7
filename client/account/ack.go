package account

import (
	"context"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Ack says that all entries up to seq were handled: they do not come again, and the
// queue service may forget them. KeyPackages that Welcomes among them used are
// deleted. It fails with [ErrSeq] for what was not returned, and with the vault's
// errors. If the service cannot be told now, it is with a later call.
func (a *Account) Ack(ctx context.Context, seq uint64) error {
	release, err := a.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	if seq > a.reader.returned {
		return ErrSeq
	}
	if seq <= a.reader.cursor {
		return nil
	}
	if err := a.endWelcomes(seq); err != nil {
		return err
	}
	if err := a.save(recordCursor, &cursor{seq}); err != nil {
		return err
	}
	a.reader.cursor = seq
	n := 0
	for n < len(a.reader.buffer) && a.reader.buffer[n].Seq <= seq {
		if item := a.reader.buffer[n].Item; item != nil && item.Ticket != nil {
			a.reader.tickets = append(a.reader.tickets, *item.Ticket)
		}
		n++
	}
	a.reader.buffer = append([]queued(nil), a.reader.buffer[n:]...)
	a.trim(ctx)
	return nil
}

// trim acknowledges at the service what was acknowledged here. If that fails it is
// done later; tickets above a bound are let go, so that their payloads stay until
// they expire.
func (a *Account) trim(ctx context.Context) {
	r := &a.reader
	if r.trimmed == r.cursor {
		return
	}
	if len(r.tickets) > maxPage {
		r.tickets = r.tickets[len(r.tickets)-maxPage:]
	}
	c := a.queueCall(wire.OpAckQueue, &wire.AckQueue{Queue: a.static.queue(), Upto: r.cursor, Tickets: r.tickets}, nil)
	c.once = true
	if a.Call(ctx, c) == nil {
		r.trimmed, r.tickets = r.cursor, nil
	}
}

// endWelcomes deletes the KeyPackages of Welcomes up to seq, and has the batch of a
// last resort replaced.
func (a *Account) endWelcomes(seq uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for stream, w := range a.welcomes {
		if w.seq > seq {
			continue
		}
		if err := a.endWelcome(w); err != nil {
			return err
		}
		delete(a.welcomes, stream)
	}
	return nil
}

func (a *Account) endWelcome(w *welcome) error {
	if a.keyPackages[w.key.ref] != w.key {
		return nil
	}
	if !w.key.keys.Public.LastResort() {
		return a.dropKeyPackage(w.key)
	}
	next := a.status.clone()
	next.used[poolIndex(w.key.set.pool)] = true
	if err := a.save(recordStatus, next); err != nil {
		return err
	}
	a.status = next
	return nil
}

// cursor is the record of the last entry that was acknowledged.
type cursor struct{ seq uint64 }

// MarshalTLS encodes c.
func (c *cursor) MarshalTLS(w *tlscodec.Writer) { w.Uint64(c.seq) }

// UnmarshalTLS decodes c.
func (c *cursor) UnmarshalTLS(r *tlscodec.Reader) { c.seq = r.Uint64() }
