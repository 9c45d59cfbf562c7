package qs

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Payments checks and spends what an operation costs.
type Payments interface {
	// Pay spends the tokens of a request on an operation, or returns a
	// [wire.Error] that says what is missing. The digest is that of the request,
	// so that an identical retry is paid for already. It is called before the
	// operation, also if that is then refused: a free refusal would let others
	// probe what exists.
	Pay(ctx context.Context, op wire.Operation, tokens [][]byte, request [32]byte) error
}

// Push wakes devices.
type Push interface {
	// Notify is called when an entry arrived in a queue that nobody is reading,
	// once until its owner reads again. The target is what the owner put in the
	// queue's settings. It must not block. If the push does not get there it calls
	// lost, at any time, and the next entry comes with another.
	Notify(target []byte, lost func())
}

// Config of a [Service]. Store, Keys, Domain and Payments must be set; a zero
// value elsewhere means the default.
type Config struct {
	// Domain is the one that requests must name as their recipient.
	Domain   string
	Store    Store
	Keys     *addresskeys.Ring
	Payments Payments
	Push     Push // nil for none

	// Mix is how long deliveries are gathered before they are stored in random
	// order, so that the order in the store tells less about what came
	// together. Zero stores at once. A delivery is answered when it is stored.
	Mix time.Duration

	// MaxEntries, MaxBytes and MaxTTLDays are what a queue may ask for, and get
	// if it does not ask: 10,000, 16 MiB and 30 days.
	MaxEntries uint32
	MaxBytes   uint64
	MaxTTLDays uint16
	// IdleDays is after how many days without a reader a queue is deleted.
	// Default 90.
	IdleDays uint16

	// SegmentEntries and SegmentAge bound the use of a segment key: 1,000
	// entries, and an hour after its first.
	SegmentEntries uint32
	SegmentAge     time.Duration
	// Inline is the size in octets up to which a payload is stored with each
	// entry instead of once. Default 272, the smallest padded payload.
	Inline int
	// CacheAddresses and CacheSegments bound memory: 1<<18 opened addresses of
	// about 200 octets, and 1<<18 segment keys of about 300, or 1,400 for owners
	// with X-Wing keys. The half that was used last is always there; what is not
	// costs a public-key operation.
	CacheAddresses, CacheSegments int

	// MaxWait is the longest a read waits. Default 55 s.
	MaxWait time.Duration
	// MaxReaders wait at a time; further ones are refused. Default 1<<17.
	MaxReaders int
	// MaxAhead is how far in the future a request may expire. Default 5 min.
	MaxAhead time.Duration

	// Now and Rand are for tests.
	Now  func() time.Time
	Rand io.Reader
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c *Config) validate() error {
	if c.Domain == "" || c.Store == nil || c.Keys == nil || c.Payments == nil {
		return errors.New("qs: Domain, Store, Keys and Payments must be set")
	}
	orDefault(&c.MaxEntries, 10_000)
	orDefault(&c.MaxBytes, 16<<20)
	orDefault(&c.MaxTTLDays, 30)
	orDefault(&c.IdleDays, 90)
	orDefault(&c.SegmentEntries, 1000)
	orDefault(&c.SegmentAge, time.Hour)
	orDefault(&c.Inline, 272)
	orDefault(&c.CacheAddresses, 1<<18)
	orDefault(&c.CacheSegments, 1<<18)
	orDefault(&c.MaxWait, 55*time.Second)
	orDefault(&c.MaxReaders, 1<<17)
	orDefault(&c.MaxAhead, 5*time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Inline < 0 || c.Inline > MaxCiphertext-512 || c.Mix < 0 || c.SegmentAge < 0 || c.MaxWait < 0 {
		return errors.New("qs: a limit is out of range")
	}
	return nil
}

// effective applies the service's limits to what an owner asks for.
func (c *Config) effective(s wire.QueueSettings) wire.QueueSettings {
	limit := func(v, most uint64) uint64 {
		if v == 0 || v > most {
			return most
		}
		return v
	}
	s.MaxEntries = uint32(limit(uint64(s.MaxEntries), uint64(c.MaxEntries)))
	s.MaxBytes = limit(s.MaxBytes, c.MaxBytes)
	s.TTLDays = uint16(limit(uint64(s.TTLDays), uint64(c.MaxTTLDays)))
	return s
}
