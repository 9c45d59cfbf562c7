package moderation

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/seal"
)

// Verdicts that wait are sealed with AES-256-GCM under a key that follows from the
// docket's secret, for their case: time at which they are due (u64, seconds since
// 1970), length (u32), the verdict, and zeros up to a size class.

func (d *Docket) aead() cipher.AEAD {
	key := d.derive("pseudods 1.0 waiting verdicts", nil)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 octets are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

const verdictHead = 8 + 4

func (d *Docket) sealVerdict(id CaseID, due time.Time, v *attester.Verdict) ([]byte, error) {
	verdict, err := v.Marshal()
	if err != nil {
		return nil, err
	}
	plaintext := make([]byte, seal.PaddedSize(verdictHead+len(verdict)))
	binary.BigEndian.PutUint64(plaintext, uint64(due.Unix()))
	binary.BigEndian.PutUint32(plaintext[8:], uint32(len(verdict)))
	copy(plaintext[verdictHead:], verdict)
	aead := d.aead()
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(d.cfg.Rand, nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, plaintext, id[:]), nil
}

// errWaiting: what waits is not what this docket has sealed.
var errWaiting = errors.New("moderation: a waiting verdict does not open")

func (d *Docket) openVerdict(id CaseID, sealed []byte) (due time.Time, v *attester.Verdict, err error) {
	aead := d.aead()
	if len(sealed) < aead.NonceSize() {
		return due, nil, errWaiting
	}
	b, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], id[:])
	if err != nil || len(b) < verdictHead {
		return due, nil, errWaiting
	}
	n := binary.BigEndian.Uint32(b[8:])
	if uint64(n) > uint64(len(b)-verdictHead) {
		return due, nil, errWaiting
	}
	due = time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	v, err = attester.ParseVerdict(b[verdictHead:][:n])
	return due, v, err
}

// Issuers take verdicts.
type Issuers interface {
	// Deliver hands a signed verdict to the issuer of that name. An error that wraps
	// [attester.ErrVerdict] is a refusal for good; after any other the verdict may
	// have arrived, and comes again.
	Deliver(ctx context.Context, issuer string, signed []byte) error
}

// CourierConfig configures a [Courier].
type CourierConfig struct {
	// Key signs verdicts.
	Key ed25519.PrivateKey
	To  Issuers
	// Every is how often it looks for verdicts that are due. Default 10 seconds.
	Every time.Duration
	// First and Longest are how long it waits after the first failure and at most,
	// twice as long each time. Default 5 seconds and an hour.
	First, Longest time.Duration
}

// Courier sends verdicts when they are due, and again until they arrive or expire.
type Courier struct {
	docket *Docket
	cfg    CourierConfig
	// failed are the verdicts that did not arrive, by case. It is Run's.
	failed map[CaseID]failure
}

type failure struct {
	again time.Time
	wait  time.Duration
}

// NewCourier returns a courier for a docket's verdicts.
func NewCourier(d *Docket, c CourierConfig) *Courier {
	for _, x := range []struct {
		v *time.Duration
		d time.Duration
	}{{&c.Every, 10 * time.Second}, {&c.First, 5 * time.Second}, {&c.Longest, time.Hour}} {
		if *x.v == 0 {
			*x.v = x.d
		}
	}
	return &Courier{d, c, map[CaseID]failure{}}
}

// Run sends verdicts until ctx is done. What fails in the store is told to report,
// and tried again.
func (c *Courier) Run(ctx context.Context, report func(error)) {
	defer c.docket.leave(ctx, Sending)
	ticker := time.NewTicker(c.cfg.Every)
	defer ticker.Stop()
	for {
		if err := c.Round(ctx); err != nil && ctx.Err() == nil {
			report(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Round sends once what is due. What goes wrong with one verdict does not hold up
// the others; of an issuer that fails, the rest of its verdicts wait for the next round, so
// that one which does not answer takes the time of one. Where processes share the store it sends while the duty is this one's.
func (c *Courier) Round(ctx context.Context) (failures error) {
	if mine, err := c.docket.claim(ctx, Sending, dutyLease); err != nil || !mine {
		return err
	}
	there, away := map[CaseID]bool{}, map[string]bool{}
	for from, more := (CaseID{}), true; more; {
		var list []Outgoing
		var err error
		if list, more, err = c.docket.cfg.Store.Verdicts(ctx, from); err != nil {
			return err
		}
		for i := range list {
			there[list[i].ID] = true
			failures = errors.Join(failures, c.send(ctx, &list[i], away))
		}
		if len(list) == 0 {
			break
		}
		from, more = follow(list[len(list)-1].ID, more)
	}
	for id := range c.failed {
		if !there[id] {
			delete(c.failed, id)
		}
	}
	return failures
}

// send sends a verdict if it is due and its issuer is not away. It is forgotten after the issuer has taken it:
// a crash in between sends it once more, and the issuer knows it.
func (c *Courier) send(ctx context.Context, o *Outgoing, away map[string]bool) error {
	d, now := c.docket, c.docket.cfg.Now()
	if f, ok := c.failed[o.ID]; ok && now.Before(f.again) {
		return nil
	}
	due, v, err := d.openVerdict(o.ID, o.Verdict)
	if err != nil {
		return err
	}
	if now.Before(due) || away[v.Issuer] {
		return nil
	}
	// Again before each: the sending of one may take as long as a claim holds.
	if mine, err := d.claim(ctx, Sending, dutyLease); err != nil || !mine {
		return err
	}
	event := VerdictExpired
	if now.Before(v.Expires()) {
		signed, err := v.Sign(c.cfg.Key)
		if err != nil {
			return err
		}
		err = c.cfg.To.Deliver(ctx, v.Issuer, signed)
		switch {
		case err == nil:
			event = VerdictSent
		case errors.Is(err, attester.ErrVerdict):
			event = VerdictRefused
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			away[v.Issuer] = true
			f := c.failed[o.ID]
			f.wait = min(max(2*f.wait, c.cfg.First), c.cfg.Longest)
			// Up to half as much more, so that verdicts do not come together.
			f.again = now.Add(f.wait + time.Duration(rand.Float64()*float64(f.wait)/2))
			c.failed[o.ID] = f
			d.cfg.Observe(VerdictDelayed)
			return nil
		}
	}
	if err := d.cfg.Store.Sent(ctx, o.ID); err != nil {
		return err
	}
	d.cfg.Observe(event)
	return nil
}
