package queues

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"embed"
	"errors"
	"math"
	"sync/atomic"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema is the schema of the databases that [New] takes.
var Schema = postgres.Schema{Name: "queues", Migrations: files, Routing: routing}

// Store is a [qs.Store] on a database.
type Store struct {
	db      *postgres.DB
	process [16]byte
	duties  *postgres.Duties
	tags    cipher.Block  // nil: nobody is told of changes
	others  []atomic.Bool // whether there are other processes, by what each shard says
	joiners []joiner      // of each shard
}

var _ qs.Shared = (*Store)(nil)

// WakeKeySize is the size in octets of the key of [New].
const WakeKeySize = 16

// New returns the store on a database opened with [Schema], and with
// [postgres.DutySchema] for [Store.Alone]. The wake key is one
// that all processes of the database have, by which they tell one another of
// queues; without one, this process must be the only one. The caller closes the
// database.
func New(db *postgres.DB, wake secret.Bytes) (*Store, error) {
	s := &Store{db: db, duties: postgres.NewDuties(db), others: make([]atomic.Bool, db.Shards()), joiners: make([]joiner, db.Shards())}
	for i := range s.joiners {
		s.joiners[i].call, s.joiners[i].timeout = s.appendAtOnce, db.Timeout()
	}
	rand.Read(s.process[:])
	if !wake.IsZero() {
		if wake.Len() != WakeKeySize {
			return nil, errors.New("queues: wake key of a wrong size")
		}
		var err error
		if s.tags, err = aes.NewCipher(wake.Reveal()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// ordered maps numbers to the database's signed ones, in the same order.
func ordered(n uint64) int64 { return int64(n ^ 1<<63) }

func number(n int64) uint64 { return uint64(n) ^ 1<<63 }

// clamped is for numbers of which the database holds no greater ones.
func clamped(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// octets are b, and none where it is nil, which would be NULL.
func octets(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// void is for functions that answer nothing.
func void(r postgres.Rows) error {
	for r.Next() {
	}
	return nil
}

// found returns what reads an answer of one row, or sets ok to false.
func found(ok *bool, into ...any) func(postgres.Rows) error {
	return func(r postgres.Rows) error {
		if *ok = r.Next(); !*ok {
			return nil
		}
		return r.Scan(into...)
	}
}

// queueColumns are what the functions that return a queue answer.
type queueColumns struct {
	owner, segmentKey, push []byte
	kem, maxEntries, ttl    int32
	version, maxBytes       int64
	dropOldest, ok          bool
}

func (c *queueColumns) answer() func(postgres.Rows) error {
	return found(&c.ok, &c.owner, &c.kem, &c.segmentKey, &c.version, &c.maxEntries, &c.maxBytes, &c.ttl, &c.dropOldest, &c.push)
}

func (c *queueColumns) queue() (q qs.Queue) {
	copy(q.OwnerKey[:], c.owner)
	q.SegmentKey = wire.HPKEKey{KEM: wire.KEM(c.kem), Public: c.segmentKey}
	q.Settings = wire.QueueSettings{Version: number(c.version), MaxEntries: uint32(c.maxEntries), MaxBytes: uint64(c.maxBytes),
		TTLDays: uint16(c.ttl), Overflow: wire.OverflowRefuse, Push: c.push}
	if c.dropOldest {
		q.Settings.Overflow = wire.OverflowDropOldest
	}
	return q
}

// settings are the arguments that say how a queue is set.
func settings(s *wire.QueueSettings) []any {
	return []any{ordered(s.Version), int32(min(s.MaxEntries, math.MaxInt32)), clamped(s.MaxBytes), int32(s.TTLDays), s.Overflow == wire.OverflowDropOldest, octets(s.Push)}
}

// CreateQueue implements [qs.Queues].
func (s *Store) CreateQueue(ctx context.Context, id wire.QueueID, today qs.Day, q qs.Queue) (qs.Queue, error) {
	args := append([]any{[16]byte(id), int32(today), q.OwnerKey[:], int32(q.SegmentKey.KEM), octets(q.SegmentKey.Public)}, settings(&q.Settings)...)
	for {
		var c queueColumns
		err := s.db.Write(ctx, "select * from queues.create_queue($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", args, c.answer())
		if err != nil || c.ok {
			return c.queue(), err
		}
		if err := ctx.Err(); err != nil { // it was deleted meanwhile, again and again
			return qs.Queue{}, err
		}
	}
}

// Queue implements [qs.Queues].
func (s *Store) Queue(ctx context.Context, id wire.QueueID) (qs.Queue, error) {
	var c queueColumns
	err := s.db.Read(ctx, "select * from queues.get_queue($1)", []any{[16]byte(id)}, c.answer())
	if err == nil && !c.ok {
		err = qs.ErrNotFound
	}
	return c.queue(), err
}

// ConfigureQueue implements [qs.Queues]. What is over a smaller limit goes with
// later appends, by the queue's drop rule.
func (s *Store) ConfigureQueue(ctx context.Context, id wire.QueueID, to wire.QueueSettings) (wire.QueueSettings, error) {
	var c queueColumns
	args := append([]any{[16]byte(id)}, settings(&to)...)
	err := s.db.Write(ctx, "select * from queues.configure_queue($1, $2, $3, $4, $5, $6, $7)", args, c.answer())
	if err == nil && !c.ok {
		err = qs.ErrNotFound
	}
	return c.queue().Settings, err
}

// DeleteQueue implements [qs.Queues].
func (s *Store) DeleteQueue(ctx context.Context, id wire.QueueID) error {
	return s.db.Write(ctx, "select queues.delete_queue($1)", []any{[16]byte(id)}, void)
}

// refusals are what functions answer that return a number.
var refusals = map[int32]error{1: qs.ErrNotFound, 2: qs.ErrLimit}

// Revoke implements [qs.Queues]. The mark keeps number and claim: if it is ever
// forgotten, all of it is.
func (s *Store) Revoke(ctx context.Context, id wire.QueueID, today qs.Day, m qs.Mark) error {
	var refused int32
	err := s.db.Write(ctx, "select queues.revoke_mark($1, $2, $3, $4)", []any{[16]byte(id), int32(today), [16]byte(m), int32(qs.MaxMarks)}, postgres.One(&refused))
	if err != nil {
		return err
	}
	return refusals[refused]
}
