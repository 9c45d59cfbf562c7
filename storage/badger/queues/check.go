package queues

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

var kinds = []badger.Kind{
	{First: kindQueue, Name: "queue"},
	{First: kindHead, Name: "head"},
	{First: kindEntry, Name: "page of entries"},
	{First: kindSegment, Name: "segment"},
	{First: kindMark, Name: "mark"},
	{First: kindQueuePurge, Name: "deletion of a queue"},
	{First: kindPayload, Name: "payload chunk"},
	{First: kindReferences, Name: "payload references"},
	{First: kindPool, Name: "pool"},
	{First: kindKeyPackage, Name: "KeyPackage"},
	{First: kindContact, Name: "contact"},
	{First: kindClaim, Name: "claim"},
	{First: kindPoolPurge, Name: "deletion of a pool"},
	{First: kindRestores, Name: "count of restores"},
}

// The problems that several kinds of records can have.
const (
	undecodable = "does not decode"
	keySize     = "key"
	gap         = "not the next of its queue or pool"
	miscounted  = "count differs from what is there"
)

// Check goes over a database opened with [Format] and reports what cannot be
// right: records that do not decode, queues whose head does not agree with
// their settings, entries, segments or marks, pools that do not agree with their
// KeyPackages and contacts, payloads whose chunks or recipients are missing, and
// what belongs to no queue, pool or payload. What deletions and expiry have left
// when a crash came is counted as left over. Which entry points to which payload
// is sealed, and not checked.
func Check(ctx context.Context, db *badger.DB, report func(badger.Finding)) (badger.Summary, error) {
	return db.Inspect(ctx, kinds, report, func(i *badger.Inspection) error {
		c := &check{Inspection: i}
		for _, step := range []func() error{c.restoreCount, c.queues, c.heads, c.payloads, c.pools, c.purges} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

type check struct {
	*badger.Inspection
	restores uint32
}

func (c *check) restoreCount() (err error) {
	if c.restores, err = restores(c.Get); errors.Is(err, ErrCorrupt) {
		err = nil // reported below
	}
	if err != nil {
		return err
	}
	return c.Visit([]byte{kindRestores}, func(key, value []byte) error {
		if len(key) != 1 || len(value) != 4 {
			c.Problem(kindRestores, undecodable)
		}
		return nil
	})
}

// load reads a record for the sake of another. One that does not decode is as
// good as none: it is reported where it is visited.
func (c *check) load(key []byte, v record) (bool, error) {
	ok, err := load(c.Get, key, v)
	if errors.Is(err, ErrCorrupt) {
		return false, nil
	}
	return ok, err
}

// visit calls f with the records of a prefix that decode into what new makes.
func visit[R record](c *check, prefix []byte, size int, zero func() R, f func(key []byte, r R) error) error {
	return c.Visit(prefix, func(key, value []byte) error {
		r := zero()
		switch {
		case len(key) != size:
			c.Problem(prefix[0], keySize)
		case unmarshal(value, r) != nil:
			c.Problem(prefix[0], undecodable)
		default:
			return f(key, r)
		}
		return nil
	})
}

// purges visits what the deletions under way have left.
func (c *check) purges() error {
	for kind, partitions := range purged {
		err := c.Visit([]byte{kind}, func(k, value []byte) error {
			if len(k) != 1+partitionSize || len(value) != 0 {
				c.Problem(kind, undecodable)
				return nil
			}
			id := k[1:]
			for _, alive := range []byte{kindQueue, kindHead, kindPool} {
				ok, err := c.Has(key(alive, id))
				if err != nil {
					return err
				}
				if ok && (alive == kindPool) == (kind == kindPoolPurge) {
					c.Problem(kind, "of one that is there")
					return nil // its records were visited with it
				}
			}
			for _, p := range partitions {
				if err := c.VisitLeftover(key(p, id)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// partitionSize is the size of identifiers of queues and of pools.
const partitionSize = len(wire.QueueID{})
