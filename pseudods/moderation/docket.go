package moderation

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Event is something to be logged and counted. It names nobody.
type Event string

// The events.
const (
	Taken          Event = "taken"
	Repeated       Event = "repeated"
	NoRoom         Event = "no room"
	WasUpheld      Event = "upheld"
	WasDismissed   Event = "dismissed"
	WasExpired     Event = "expired"
	Unrouted       Event = "no issuer" // upheld, and no issuer is known for the accused's provider
	VerdictSent    Event = "verdict sent"
	VerdictDelayed Event = "verdict delayed" // the issuer did not answer
	VerdictRefused Event = "verdict refused"
	VerdictExpired Event = "verdict expired"
)

// Config of a [Docket]. Store, Key, Secret and Issuers must be set.
type Config struct {
	Store Store
	// Key is the public half of the moderation key.
	Key *wire.HPKEKey
	// Secret names cases and seals verdicts that wait: 32 octets that are kept apart
	// from the store.
	Secret secret.Bytes
	// Issuers are the names of providers' issuers, by domain. Who is accused at
	// another gets no verdict.
	Issuers map[string]string
	// MaxOpen is how many cases wait at most. Default 10,000.
	MaxOpen int
	// Retention is how long a case may wait, in days. Default 30.
	Retention int
	// Delay is the longest of the random times that verdicts wait.
	Delay time.Duration
	// Observe is told what happens. Default: nobody is.
	Observe func(Event)
	// Now and Rand are for tests.
	Now  func() time.Time
	Rand io.Reader
}

// Docket is the list of cases. It is safe for concurrent use.
type Docket struct {
	cfg   Config
	added chan struct{} // has room for one: a case was added
}

var _ ds.Reports = (*Docket)(nil)

// ErrConfig: a configuration that cannot be used.
var ErrConfig = errors.New("moderation: invalid configuration")

// New returns the docket of a configuration. It fails with [ErrConfig].
func New(c Config) (*Docket, error) {
	if c.Store == nil || c.Key == nil || c.Secret.Len() != 32 || c.MaxOpen < 0 || c.Retention < 0 || c.Delay < 0 {
		return nil, ErrConfig
	}
	if err := seal.CheckKey(c.Key); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if c.MaxOpen == 0 {
		c.MaxOpen = 10_000
	}
	if c.Retention == 0 {
		c.Retention = 30
	}
	if c.Observe == nil {
		c.Observe = func(Event) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return &Docket{c, make(chan struct{}, 1)}, nil
}

// derive returns a value that follows from the docket's secret.
func (d *Docket) derive(label string, of []byte) (out [32]byte) {
	mac := hmac.New(sha256.New, d.cfg.Secret.Reveal())
	mac.Write([]byte(label))
	mac.Write(of)
	mac.Sum(out[:0])
	return out
}

// Take implements [ds.Reports].
func (d *Docket) Take(ctx context.Context, r *ds.Report) error {
	name := d.derive("pseudods 1.0 case", r.ID[:])
	id := CaseID(name[:16])
	o := &Opened{Report: *r}
	if _, err := io.ReadFull(d.cfg.Rand, o.Salt[:]); err != nil {
		return err
	}
	report, err := o.marshal()
	if err == nil {
		err = d.add(ctx, id, o.Opening(), report)
	}
	switch {
	case errors.Is(err, ErrKnown):
		d.cfg.Observe(Repeated)
		return ds.ErrReported
	case errors.Is(err, ErrFull), errors.Is(err, seal.ErrTooLarge):
		d.cfg.Observe(NoRoom)
		return ds.ErrReportsFull
	case err != nil:
		return err
	}
	d.cfg.Observe(Taken)
	select {
	case d.added <- struct{}{}:
	default:
	}
	return nil
}

func (d *Docket) add(ctx context.Context, id CaseID, o *Opening, report []byte) error {
	commitment, err := o.commitment()
	if err != nil {
		return err
	}
	sealed, err := seal.SealReport(d.cfg.Key, id[:], report)
	if err != nil {
		return err
	}
	c := &Case{Day: attester.DayOf(d.cfg.Now()), Commitment: commitment, Sealed: sealed}
	return d.cfg.Store.Add(ctx, id, c, d.cfg.MaxOpen)
}

// ErrOutcome: not a decision that can be made.
var ErrOutcome = errors.New("moderation: uphold with a weight, or dismiss")

// Decide upholds or dismisses a case. To uphold it takes the opening of the report.
// Deciding again the same way changes nothing. It fails with [ErrOutcome],
// [ErrNoCase], [ErrOpening] and [ErrDecided].
func (d *Docket) Decide(ctx context.Context, id CaseID, o Outcome, opening *Opening) error {
	if !o.Valid() || o.State == Expired {
		return ErrOutcome
	}
	return d.decide(ctx, id, o, opening)
}

func (d *Docket) decide(ctx context.Context, id CaseID, o Outcome, opening *Opening) error {
	c, made, err := d.cfg.Store.Look(ctx, id)
	switch {
	case err != nil:
		return err
	case c == nil && made != o:
		return ErrDecided
	case c == nil:
		return nil
	}
	var verdict []byte
	routed := true
	if o.State == Upheld {
		if opening == nil || !opening.fits(c.Commitment) {
			return ErrOpening
		}
		if verdict, routed, err = d.verdict(id, o.Weight, opening); err != nil {
			return err
		}
	}
	if err := d.cfg.Store.Decide(ctx, id, o, verdict); err != nil {
		return err
	}
	d.cfg.Observe(Event(o.State.String()))
	if !routed {
		d.cfg.Observe(Unrouted)
	}
	return nil
}

// verdict returns what is to be sent, sealed, or false if there is nobody to send
// it to. Its identifier follows from the case: if the store is put back from an older
// copy and the case is decided again, the issuer knows the verdict.
func (d *Docket) verdict(id CaseID, w attester.Weight, o *Opening) (sealed []byte, routed bool, err error) {
	issuer, ok := d.cfg.Issuers[o.Domain]
	if !ok {
		return nil, false, nil
	}
	due, err := d.due()
	if err != nil {
		return nil, false, err
	}
	credential, err := mls.Marshal(&o.Credential)
	if err != nil {
		return nil, false, err
	}
	name := d.derive("pseudods 1.0 verdict", id[:])
	v := &attester.Verdict{Issuer: issuer, ID: [16]byte(name[:16]), Day: attester.DayOf(due), Weight: w,
		Key: [32]byte(o.Key), Credential: credential}
	sealed, err = d.sealVerdict(id, due, v)
	return sealed, true, err
}

// due returns when a verdict of now is to be sent: at random within the delay, so
// that the accused cannot tell from a cut when it was decided.
func (d *Docket) due() (time.Time, error) {
	now := d.cfg.Now()
	if d.cfg.Delay == 0 {
		return now, nil
	}
	var b [8]byte
	if _, err := io.ReadFull(d.cfg.Rand, b[:]); err != nil {
		return now, err
	}
	share := float64(uint64(b[0])<<40|uint64(b[1])<<32|uint64(b[2])<<24|uint64(b[3])<<16|uint64(b[4])<<8|uint64(b[5])) / (1 << 48)
	return now.Add(time.Duration(share * float64(d.cfg.Delay))), nil
}

// Waiting returns how many cases are open.
func (d *Docket) Waiting(ctx context.Context) (int, error) { return d.cfg.Store.Waiting(ctx) }

// Expire ends the cases that nobody decided in time. Call it every hour or so. Of
// the processes that share a store one does it.
func (d *Docket) Expire(ctx context.Context) (err error) {
	if mine, err := d.claim(ctx, Expiring, expireEvery); err != nil || !mine {
		return err
	}
	defer func() {
		if err != nil {
			d.leave(ctx, Expiring)
		}
	}()
	today := attester.DayOf(d.cfg.Now())
	return d.each(ctx, func(l *Listed) error {
		if uint64(l.Day)+uint64(d.cfg.Retention) >= uint64(today) {
			return nil
		}
		err := d.decide(ctx, l.ID, Outcome{State: Expired}, nil)
		if errors.Is(err, ErrDecided) { // just now
			return nil
		}
		return err
	})
}

// each calls f with every open case.
func (d *Docket) each(ctx context.Context, f func(*Listed) error) error {
	for from, more := (CaseID{}), true; more; {
		var list []Listed
		var err error
		if list, more, err = d.cfg.Store.OpenCases(ctx, from); err != nil {
			return err
		}
		for i := range list {
			if err := f(&list[i]); err != nil {
				return err
			}
		}
		if len(list) == 0 {
			return nil
		}
		if from, more = follow(list[len(list)-1].ID, more); !more {
			return nil
		}
	}
	return nil
}

// follow returns where a list goes on after a name.
func follow(last CaseID, more bool) (CaseID, bool) {
	from, ok := last.next()
	return from, more && ok
}
