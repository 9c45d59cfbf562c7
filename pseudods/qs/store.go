package qs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// The errors of a [Store], beside those of its engine.
var (
	// ErrNotFound: no such queue, payload or pool.
	ErrNotFound = errors.New("qs: not found")
	// ErrExhausted: the pool has no KeyPackage for this claim. It does not tell
	// whether there is such a pool.
	ErrExhausted = errors.New("qs: no KeyPackage to be had")
	// ErrBatch: a part of a batch does not follow what is there, or is too
	// much.
	ErrBatch = errors.New("qs: KeyPackages do not fit the batch")
	// ErrLimit: a bound of the pool is reached.
	ErrLimit = errors.New("qs: bound reached")
)

// Limits of what a store takes at a time.
const (
	MaxPayload    = wire.MaxPayload    // octets of a payload
	MaxRecipients = wire.MaxRecipients // of one payload
	MaxCiphertext = 2 << 10            // octets of an entry
	MaxPage       = 1024               // entries of one read
	MaxBatch      = 1024               // KeyPackages of a batch
	MaxKeyPackage = 16 << 10
	// MaxKeyPackageDays is for how many days a KeyPackage may be handed out.
	MaxKeyPackageDays = 366
	MaxPart           = 512 << 10 // octets of the KeyPackages of one part
	MaxContacts       = 4096      // of one pool
	EntryOverhead     = 64        // octets that an entry counts for beside its ciphertext
	MaxMarks          = 1 << 16   // addresses of a queue that were used or revoked
)

// Day is a day since the Unix epoch. No store holds a finer time.
type Day uint32

// PayloadDay returns the last day of a payload, which its identifier begins with.
func PayloadDay(id wire.PayloadID) Day { return Day(binary.BigEndian.Uint32(id[:])) }

// Queue is what is stored of a queue, beside its entries.
type Queue struct {
	OwnerKey   [32]byte
	SegmentKey wire.HPKEKey
	Settings   wire.QueueSettings // with the service's limits applied
}

// Mark names an address within its queue. It is a hash, so that the store holds
// no address.
type Mark [16]byte

// Append is one entry for one queue.
type Append struct {
	Queue wire.QueueID
	// Mark is the address's, and Parent that of the reusable address it is a
	// stream of, or zero. A revoked mark refuses the entry.
	Mark, Parent Mark
	// Claim is zero, or what a one-time address becomes bound to by its first
	// entry. An entry with another claim is refused.
	Claim Mark
	// Brief tells that the mark need not be known for longer than a claim.
	Brief bool
	// Number is greater than that of every earlier entry of the mark; otherwise
	// the entry is there already, or was overtaken, and is not added.
	Number uint64
	// Segment and Counter say how the ciphertext opens. The store keeps the
	// segment's KEM output with the first entry that follows one of another
	// segment.
	Segment   wire.SegmentID
	KEMOutput []byte
	Counter   uint32
	// Ciphertext has at most [MaxCiphertext] octets.
	Ciphertext []byte
}

// Appended is what became of an [Append].
type Appended struct {
	Outcome wire.Outcome
	// Fresh tells that the entry was added now.
	Fresh bool
	// Push tells that the queue's settings name a push target.
	Push bool
}

// Queues keeps queues; the queue is the partition key. Whoever controls the
// store can at most see how many entries of which size class each queue got,
// when to the day, and how often each of its addresses was used; delete, replay
// or withhold entries; and put in entries that only look like ones.
type Queues interface {
	// CreateQueue creates a queue used today, or returns the one there is.
	CreateQueue(ctx context.Context, id wire.QueueID, today Day, q Queue) (Queue, error)
	// Queue returns a queue, or [ErrNotFound].
	Queue(ctx context.Context, id wire.QueueID) (Queue, error)
	// ConfigureQueue takes over settings of a newer version and returns those
	// that then hold, or [ErrNotFound].
	ConfigureQueue(ctx context.Context, id wire.QueueID, s wire.QueueSettings) (wire.QueueSettings, error)
	// DeleteQueue deletes a queue with all that belongs to it. When it returns
	// the queue is gone; deleting none is no error.
	DeleteQueue(ctx context.Context, id wire.QueueID) error
	// Append adds entries. Each by itself is atomic, durable when Append
	// returns, and touches its queue alone; together they are not. The entries
	// of one queue are added in their order. After an error any of them may
	// have been added, and all can be tried again.
	Append(ctx context.Context, today Day, entries []Append) ([]Appended, error)
	// ReadQueue returns up to limit entries after the given sequence number,
	// without those that have expired, and marks the queue as used today. It
	// fails with [ErrNotFound].
	ReadQueue(ctx context.Context, id wire.QueueID, today Day, after uint64, limit int) (*wire.QueuePage, error)
	// AckQueue removes the entries up to and with a sequence number, and marks
	// the queue as used today. It fails with [ErrNotFound].
	AckQueue(ctx context.Context, id wire.QueueID, today Day, upto uint64) error
	// Revoke revokes a mark, whether it was used or not. It fails with
	// [ErrNotFound], or [ErrLimit] if the queue has [MaxMarks] marks.
	Revoke(ctx context.Context, id wire.QueueID, today Day, m Mark) error
}

// Payloads keeps payloads; the payload is the partition key. Whoever controls
// the store can at most see the size classes of payloads, how many recipients
// each has here, and how many of them have fetched it.
type Payloads interface {
	// PutPayload stores a payload for recipients 0 to n-1.
	PutPayload(ctx context.Context, id wire.PayloadID, payload []byte, n int) error
	// Payload returns a payload, or [ErrNotFound].
	Payload(ctx context.Context, id wire.PayloadID) ([]byte, error)
	// Release notes that recipients need the payload no more, and deletes it
	// after the last. Releasing again, or what is gone, is no error.
	Release(ctx context.Context, id wire.PayloadID, recipients []uint16) error
}

// KeyPackage is one of a batch.
type KeyPackage struct {
	Encoded    []byte
	LastDay    Day // it is not handed out after this day
	LastResort bool
}

// Part is a part of a batch of KeyPackages.
type Part struct {
	Key   [32]byte // the pool's, for its first part
	Kind  wire.PoolKind
	Batch uint64
	First uint32
	// KeyPackages has at most one of last resort in the batch.
	KeyPackages []KeyPackage
	Last        bool
}

// Claim asks for a KeyPackage.
type Claim struct {
	Kind    wire.PoolKind
	Contact *wire.ContactHash // for a pool of kind PoolGroup
	// Request is the digest of the request. The same request gets the same
	// KeyPackage again as long as the store remembers it.
	Request [32]byte
}

// Pools keeps KeyPackages; the pool is the partition key. Whoever controls the
// store can at most see how large the KeyPackages are, how many were handed out, and how many
// contacts a pool has; hand out KeyPackages twice, withhold them, or put in
// others, which do not open for those who know the pool.
type Pools interface {
	// Publish adds a part to the batch being staged, creating the pool if there
	// is none. With the last part the batch replaces the one in use, in one
	// step. A part that is there already, or of a batch that is not newer than
	// the one in use, changes nothing; a newer batch discards what is staged of
	// an older one. It fails with [ErrBatch].
	Publish(ctx context.Context, pool wire.PoolID, p Part) (wire.PoolStatus, error)
	// PoolKey returns the pool's key, or [ErrNotFound].
	PoolKey(ctx context.Context, pool wire.PoolID) ([32]byte, error)
	// Allow lets a contact fetch from a pool, or ends that for good. It fails
	// with [ErrNotFound], or [ErrLimit] if the pool has [MaxContacts].
	Allow(ctx context.Context, pool wire.PoolID, contact wire.ContactHash, allow bool) error
	// Take hands out a KeyPackage that leaves the pool, or the one of last
	// resort, which stays. When it returns nobody else gets that KeyPackage,
	// whatever crashes. It fails with [ErrExhausted] alone for whatever reason
	// there is none to be had.
	Take(ctx context.Context, pool wire.PoolID, today Day, c Claim) ([]byte, error)
	// DeletePool deletes a pool with all that belongs to it. Deleting none is
	// no error.
	DeletePool(ctx context.Context, pool wire.PoolID) error
}

// Expiry says what is to be forgotten: what was last used, or ended, before
// these days.
type Expiry struct {
	Queues   Day // not read
	Entries  Day // the present day, by which each queue's TTL counts
	Marks    Day // not used: their address keys are gone; brief ones go with claims
	Payloads Day // ended
	Claims   Day // answered
}

// Store is all that a queue service stores. Its methods may be called
// concurrently.
type Store interface {
	Queues
	Payloads
	Pools
	// Expire forgets. It goes over the whole store in bounded steps, each in
	// one partition; it may be cancelled and repeated.
	Expire(ctx context.Context, e Expiry) error
}

// Together is a [Store] that stores a payload and entries for it in one step.
type Together interface {
	Store
	// AppendPayload does what PutPayload and then Append do. The payload becomes
	// durable before the entries or with the first of them.
	AppendPayload(ctx context.Context, today Day, id wire.PayloadID, payload []byte, n int, entries []Append) ([]Appended, error)
}

// Shared is a [Store] that other processes use at the same time.
type Shared interface {
	Store
	// Watch tells of entries that came through other processes, until ctx ends,
	// and returns its error. It calls wake with a function that reports whether a
	// queue may have got any, also if none has; within a second of them in all but
	// the first second.
	Watch(ctx context.Context, wake func(queues func(wire.QueueID) bool)) error
	// Alone does a walk of all processes' store, unless another process does, or did
	// within the time every. If that one dies, the walk can be done again at once.
	Alone(ctx context.Context, every time.Duration, walk func(context.Context) error) error
}

// CheckPart returns [ErrBatch] if the part by itself breaks a bound.
func CheckPart(p *Part) error {
	size, lastResorts := 0, 0
	for _, k := range p.KeyPackages {
		if len(k.Encoded) > MaxKeyPackage {
			return fmt.Errorf("%w: KeyPackage of %d octets", ErrBatch, len(k.Encoded))
		}
		size += len(k.Encoded)
		if k.LastResort {
			lastResorts++
		}
	}
	if uint64(p.First)+uint64(len(p.KeyPackages)) > MaxBatch || size > MaxPart || lastResorts > 1 || p.Batch == 0 {
		return ErrBatch
	}
	return nil
}
