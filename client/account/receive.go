package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	pageSize   = 128              // entries that are read at a time
	maxPage    = 1024             // that a service may answer with
	maxFetched = 4 << 20          // octets of payloads after which Receive returns what it has
	maxWait    = 50 * time.Second // of one read
)

// Incoming is an entry of the queue.
type Incoming struct {
	// Seq is the entry's number in the queue, for [Account.Ack].
	Seq uint64
	// Address is the one that was used, and Stream the part of it that belongs to
	// one group or sender; for most the two are equal.
	Address, Stream wire.AddressID

	// Fanout is a delivery of a group, nil for what came otherwise. It is of the
	// group and delivery service that the address is for. Who sent it, and whether
	// the members accept it, its content must show.
	Fanout *wire.Fanout
	// Sequence is the delivery's place in its group: numbers that are missing are
	// messages that were lost, or that came before the client joined.
	Sequence uint64
	// JoinInfo is that of a Welcome, KeyPackage names the KeyPackage that the
	// Welcome used, and Pool says where its user had it from: zero if it was in no
	// pool.
	JoinInfo   *wire.JoinInfo
	KeyPackage mls.KeyPackageRef
	Pool       wire.PoolKind

	// Contact is an offer of contact or an acceptance: as it is stored now.
	Contact *Contact
	// Devices are other clients of the user that are new, or were removed. What else
	// they say is in [Account.Notes].
	Devices []*Device

	// Lost tells that entries before this one are gone, as they expired or the
	// queue was full.
	Lost bool
	// Err tells why the entry is nothing of the above: [ErrUnknownAddress],
	// [ErrEntry], [ErrGone], or what a bad offer has. It is to be acknowledged like
	// the others.
	Err error
}

// queued is an entry that was read and not acknowledged.
type queued struct {
	seal.Opened
	lost    bool
	payload []byte // that a ticket was for
	fetched bool
}

// welcome is a Welcome that was returned and not acknowledged.
type welcome struct {
	seq         uint64
	key         *ownKeyPackage
	domain      string
	group       wire.GroupID
	made, until uint32
}

// reader reads the queue. mu is held while it does.
type reader struct {
	turn   chan struct{} // holds one value while somebody reads or acknowledges
	opener *seal.Reader
	// cursor is the last entry that was acknowledged, as the vault has it, and
	// trimmed the last one of which the service knows.
	cursor, trimmed uint64
	buffer          []queued // oldest first, after cursor
	tickets         []wire.Ticket
	returned        uint64 // the last entry that Receive returned
	stream          *stream
}

func (a *Account) takeTurn(ctx context.Context) (release func(), err error) {
	select {
	case a.reader.turn <- struct{}{}:
		return func() { <-a.reader.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Receive returns entries of the queue, oldest first, from the last acknowledged
// one on: those that were returned and not acknowledged come again. If there are
// none it waits. An empty result means that none came.
//
// It stops after a Welcome, as what follows in its stream opens once it was
// adopted: join, save, [Account.Adopt], [Account.Ack], and receive again.
//
// Contacts are stored already when their offers are returned. Receive fails with
// [ErrReplaced] if another reader took over, with [httpapi.ErrTransport] if the
// service does not answer, which is to be tried again later, or with a
// [*wire.Error] or [ErrService].
func (a *Account) Receive(ctx context.Context, wait time.Duration) ([]Incoming, error) {
	release, err := a.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	a.trim(ctx) // what an acknowledgement could not; reading goes on either way
	if len(a.reader.buffer) == 0 {
		read := a.read
		if a.cfg.Stream {
			read = a.readStream
		}
		if err := read(ctx, wait); errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
			// The service has no such queue. The next Refill creates it.
			return nil, errors.Join(err, a.setStatus(func(s *status) { s.queue = false }))
		} else if err != nil {
			return nil, err
		}
	}
	if err := a.fetchPayloads(ctx); err != nil {
		return nil, err
	}
	var out []Incoming
	for i := range a.reader.buffer {
		q := &a.reader.buffer[i]
		if q.Item != nil && q.Item.Ticket != nil && !q.fetched {
			break
		}
		in, err := a.open(q)
		if err != nil {
			return nil, err
		}
		a.reader.returned = max(a.reader.returned, in.Seq)
		if out = append(out, *in); in.JoinInfo != nil {
			break
		}
	}
	return out, nil
}

// read reads a page into the buffer, and waits for one if the queue is empty.
func (a *Account) read(ctx context.Context, wait time.Duration) error {
	end := a.cfg.Now().Add(wait)
	for {
		once := min(max(0, end.Sub(a.cfg.Now())), maxWait)
		body := &wire.ReadQueue{Queue: a.static.queue(), After: a.reader.cursor, Max: pageSize, Wait: uint16((once + time.Second - 1) / time.Second)}
		page := new(wire.QueuePage)
		c := a.queueCall(wire.OpReadQueue, body, page)
		c.once = true // a service takes a read once
		if err := a.Call(ctx, c); err != nil {
			return readError(err)
		}
		if len(page.Entries) > 0 {
			return a.takePage(page)
		}
		if !a.cfg.Now().Before(end) {
			return nil
		}
	}
}

// readError is the error of a read, which can always be made again.
func readError(err error) error {
	var uncertain *UncertainError
	switch {
	case errors.Is(err, &wire.Error{Code: wire.CodeReplaced}):
		return fmt.Errorf("%w: %w", ErrReplaced, err)
	case errors.As(err, &uncertain):
		return uncertain.Err
	}
	return err
}

// takePage opens a page into the buffer.
func (a *Account) takePage(page *wire.QueuePage) error {
	if len(page.Entries) > maxPage || len(page.Segments) > maxPage {
		return fmt.Errorf("%w: page of %d entries", ErrService, len(page.Entries))
	}
	last := a.reader.cursor
	for _, e := range page.Entries {
		if e.Seq <= last {
			return fmt.Errorf("%w: entries out of order", ErrService)
		}
		last = e.Seq
	}
	last = a.reader.cursor
	for _, o := range a.reader.opener.Open(page) {
		a.reader.buffer = append(a.reader.buffer, queued{Opened: o, lost: o.Seq != last+1})
		last = o.Seq
	}
	return nil
}

// fetchPayloads fetches what the first entries' tickets are for, up to a bound.
func (a *Account) fetchPayloads(ctx context.Context) error {
	size := 0
	for size < maxFetched {
		var missing []*queued
		var tickets []wire.Ticket
		for i := range a.reader.buffer {
			q := &a.reader.buffer[i]
			if q.Item == nil || q.Item.Ticket == nil {
				continue
			}
			if q.fetched {
				size += len(q.payload)
				continue
			}
			missing, tickets = append(missing, q), append(tickets, *q.Item.Ticket)
		}
		if len(missing) == 0 || size >= maxFetched {
			return nil
		}
		var payloads wire.Payloads
		c := &Call{Domain: a.static.domain, Operation: wire.OpFetchPayloads, Body: &wire.FetchPayloads{Tickets: tickets}, Answer: &payloads, once: true}
		if err := a.Call(ctx, c); errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
			// One of the tickets is not the service's, which made them all.
			payloads = make(wire.Payloads, len(missing))
		} else if err != nil {
			return readError(err)
		}
		if len(payloads) == 0 || len(payloads) > len(missing) {
			return fmt.Errorf("%w: %d payloads", ErrService, len(payloads))
		}
		for i, b := range payloads {
			missing[i].payload, missing[i].fetched = b, true
			size += len(b)
		}
	}
	return nil
}

// open makes of an entry what Receive returns. Its error is of the vault; what is
// wrong with the entry is in the Incoming.
func (a *Account) open(q *queued) (*Incoming, error) {
	in := &Incoming{Seq: q.Seq, Lost: q.lost}
	if q.Item == nil {
		in.Err = ErrEntry
		return in, nil
	}
	in.Address, in.Stream = q.Item.Address, q.Item.Stream
	payload := q.Item.Inline
	if q.Item.Ticket != nil {
		payload = q.payload
	}
	switch {
	case len(payload) == 0:
		in.Err = ErrGone
	case q.Item.Kind == wire.ItemOffer:
		in.Contact, in.Devices, in.Err = a.takeOffer(in.Address, payload)
		if in.Err != nil && !isOfferError(in.Err) {
			return nil, in.Err
		}
	default:
		in.Err = a.openDelivery(in, q.Item, payload)
	}
	return in, nil
}

func isOfferError(err error) bool {
	for _, of := range []error{ErrUnknownAddress, ErrOffer, ErrIdentityChanged, ErrBlocked, ErrTooManyAsked, ErrLink, ErrTooManyDevices} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// openDelivery opens a delivery: under the delivery secret of its address, or with
// the key of the KeyPackage that the address is in.
func (a *Account) openDelivery(in *Incoming, item *wire.Item, payload []byte) error {
	a.mu.Lock()
	known, key := a.addresses[item.Stream], a.keyAddresses[item.Address]
	a.mu.Unlock()
	if known != nil {
		if e, err := seal.OpenEntry(known.secret, &item.Entry); err == nil {
			f, err := openFanout(e, payload)
			if err != nil {
				return err
			}
			if f.Domain != known.domain || f.Group != known.group {
				return fmt.Errorf("%w: of another group", ErrEntry)
			}
			in.Fanout, in.Sequence = f, e.Sequence
			return nil
		}
	}
	if key == nil {
		if known != nil {
			return ErrEntry
		}
		return ErrUnknownAddress
	}
	e, err := seal.OpenWelcomeEntry(key.welcomeKey, &item.Entry)
	if err != nil {
		return ErrUnknownAddress // of a group that was not joined
	}
	f, err := openFanout(e, payload)
	if err != nil {
		return err
	}
	if f.Kind != wire.FanoutWelcome {
		return fmt.Errorf("%w: not a Welcome", ErrEntry)
	}
	info, err := seal.OpenJoinInfo(key.welcomeKey, f.Group, f.JoinInfo)
	if err != nil {
		return fmt.Errorf("%w: join info", ErrEntry)
	}
	in.Fanout, in.Sequence, in.JoinInfo, in.KeyPackage, in.Pool = f, e.Sequence, info, mls.KeyPackageRef(key.ref), key.set.pool
	a.mu.Lock()
	defer a.mu.Unlock()
	a.welcomes[item.Stream] = &welcome{in.Seq, key, f.Domain, f.Group, key.made, key.until}
	return nil
}

func openFanout(e *seal.Entry, payload []byte) (*wire.Fanout, error) {
	b, err := seal.OpenPayload(e.PayloadKey, payload)
	if err != nil {
		return nil, fmt.Errorf("%w: payload", ErrEntry)
	}
	f := new(wire.Fanout)
	if err := mls.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	return f, nil
}
