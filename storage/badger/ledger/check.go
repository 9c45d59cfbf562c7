package ledger

import (
	"bytes"
	"context"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/tokens"
)

var kinds = []badger.Kind{
	{First: prefixCheck, Name: "check value"},
	{First: prefixRegistry, Name: "registry"},
	{First: prefixCount, Name: "count"},
	{First: prefixNullifier, Name: "nullifier"},
	{First: prefixTombstone, Name: "tombstone"},
}

// Check goes over a database opened with [Format], the ledger itself being
// closed, and reports what cannot be right: records that do not decode, counts
// that are not what is counted, partitions and tombstones that do not fit the
// registry, and a note in the fence that does not name the open keys. It needs
// no key, and cannot tell whether a nullifier is a token's. Nullifiers of an
// epoch being closed are leftovers.
func Check(ctx context.Context, db *badger.DB, report func(badger.Finding)) (badger.Summary, error) {
	return db.Inspect(ctx, kinds, report, func(i *badger.Inspection) error {
		c := &check{Inspection: i, registry: &registry{}}
		for _, step := range []func() error{c.single, c.partitions, c.tombstones} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

const checkSize = 16 // octets of [tokens.NullifierKey.Check]

type check struct {
	*badger.Inspection
	registry *registry
}

// single checks the records that there is one of.
func (c *check) single() error {
	err := c.Visit([]byte{prefixCheck}, func(key, value []byte) error {
		if len(key) != 1 || len(value) != checkSize {
			c.Problem(prefixCheck, "size")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.Visit([]byte{prefixRegistry}, func(key, value []byte) error {
		g, err := parseRegistry(value)
		switch {
		case len(key) != 1:
			c.Problem(prefixRegistry, "key")
		case err != nil:
			c.Problem(prefixRegistry, "does not decode")
		default:
			c.registry = g
			if g.open() > tokens.MaxEpochs {
				c.Problem(prefixRegistry, "too many open epochs")
			}
			if !bytes.Equal(g.note(), c.Note()) {
				c.Problem(prefixRegistry, "fence does not know the open keys")
			}
		}
		return nil
	})
}

// partitions counts each epoch's nullifiers. A count without an epoch, and
// nullifiers of none, are not visited.
func (c *check) partitions() error {
	for _, e := range c.registry.entries {
		var counted, stored uint64
		if e.state == stateClosing {
			if err := c.VisitLeftover(partition(e.ordinal)); err != nil {
				return err
			}
		} else if err := c.Visit(partition(e.ordinal), func(key, value []byte) error {
			counted++
			if len(key) != len(partition(0))+len(tokens.Nullifier{}) {
				c.Problem(prefixNullifier, "key")
			} else if _, err := tokens.ParseTag(value); err != nil {
				c.Problem(prefixNullifier, "does not decode")
			}
			return nil
		}); err != nil {
			return err
		}
		err := c.Visit(countKey(e.ordinal), func(key, value []byte) (err error) {
			if stored, err = parseCount(value); err != nil || len(key) != len(countKey(0)) {
				c.Problem(prefixCount, "does not decode")
				stored = counted
			}
			return nil
		})
		if err != nil {
			return err
		}
		if e.state == stateOpen && stored != counted {
			c.Report(badger.Finding{Kind: "count", Problem: "is not what is counted", Count: 1})
		}
	}
	return nil
}

func (c *check) tombstones() error {
	seen := 0
	err := c.Visit([]byte{prefixTombstone}, func(key, value []byte) error {
		var id privacypass.KeyID
		if len(key) != 1+len(id) {
			c.Problem(prefixTombstone, "key")
			return nil
		}
		copy(id[:], key[1:])
		if _, err := parseTombstone(value); err != nil {
			c.Problem(prefixTombstone, "does not decode")
		}
		if e := c.registry.find(id); e != nil && e.state == stateOpen {
			c.Problem(prefixTombstone, "its epoch is open")
		} else if e != nil {
			seen++
		}
		return nil
	})
	if closing := len(c.registry.entries) - c.registry.open(); err == nil && seen < closing {
		c.Report(badger.Finding{Kind: "tombstone", Problem: "missing for an epoch being closed", Count: uint64(closing - seen)})
	}
	return err
}
