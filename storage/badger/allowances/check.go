package allowances

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/storage/badger"
)

var kinds = []badger.Kind{
	{First: kindEpoch, Name: "epoch"},
	{First: kindDropped, Name: "dropped epoch"},
	{First: kindStanding, Name: "standing"},
	{First: kindVerdict, Name: "verdict"},
	{First: kindCharge, Name: "charge"},
}

// kindVerdict is what the verdicts among the charges of an epoch are counted as.
const kindVerdict = 'v'

// Check goes over a database opened with [Format] and reports what cannot be
// right: records that do not decode, counters without a reply and replies
// without a counter, and charges of an epoch that is not known. Charges of an
// epoch that is being dropped are leftovers. What was charged is in no record but
// the counter, so that it cannot be added up.
func Check(ctx context.Context, db *badger.DB, report func(badger.Finding)) (badger.Summary, error) {
	return db.Inspect(ctx, kinds, report, func(i *badger.Inspection) error {
		c := &check{i}
		for _, step := range []func() error{c.dropped, c.standings, c.epochs} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// maxClasses is how many classes of one account are kept in mind.
const maxClasses = 256

type check struct{ *badger.Inspection }

func (c *check) dropped() error {
	return c.Visit([]byte{kindDropped}, func(key, value []byte) error {
		if len(key) != 1+8 || !bytes.Equal(value, present) {
			c.Problem(kindDropped, "does not decode")
		}
		return nil
	})
}

func (c *check) standings() error {
	return c.Visit([]byte{kindStanding}, func(key, value []byte) error {
		if _, err := parseStanding(value); err != nil || len(key) != 1+len(attester.Account{}) {
			c.Problem(kindStanding, "does not decode")
		}
		return nil
	})
}

func (c *check) epochs() error {
	return c.Visit([]byte{kindEpoch}, func(key, value []byte) error {
		if len(key) != 1+8 || !bytes.Equal(value, present) {
			c.Problem(kindEpoch, "does not decode")
			return nil
		}
		epoch := attester.Epoch(binary.BigEndian.Uint64(key[1:]))
		dropped, err := c.Has(epochKey(kindDropped, epoch))
		if err != nil {
			return err
		}
		if dropped {
			return c.VisitLeftover(epochKey(kindCharge, epoch))
		}
		return c.charges(epoch)
	})
}

// charges checks an epoch. Of an account the replies come first, then the
// counters; each class of which there is one must have the other.
func (c *check) charges(epoch attester.Epoch) error {
	prefix := epochKey(kindCharge, epoch)
	accountEnd := len(prefix) + len(attester.Account{})
	var account []byte
	replies, counters := map[string]bool{}, map[string]bool{}
	end := func() {
		for class := range replies {
			if !counters[class] {
				c.Report(badger.Finding{Kind: "charge", Problem: "reply without a counter", Count: 1})
			}
		}
		for class := range counters {
			if !replies[class] {
				c.Report(badger.Finding{Kind: "charge", Problem: "counter without a reply", Count: 1})
			}
		}
		clear(replies)
		clear(counters)
	}
	err := c.Visit(prefix, func(key, value []byte) error {
		if len(key) <= accountEnd {
			c.Problem(kindCharge, "key")
			return nil
		}
		if !bytes.Equal(account, key[:accountEnd]) {
			end()
			account = bytes.Clone(key[:accountEnd])
		}
		rest, of := key[accountEnd+1:], counters
		switch tag := key[accountEnd]; {
		case tag == 'v':
			if len(rest) != len(attester.Reduction{}.ID) || !bytes.Equal(value, present) {
				c.Problem(kindCharge, "does not decode")
			}
			c.Part(kindCharge, kindVerdict, key, value)
			return nil
		case tag == 's' && len(rest) > 0:
			if _, err := parseUint64(value); err != nil {
				c.Problem(kindCharge, "does not decode")
			}
		case tag == 'r' && len(rest) > len(attester.Digest{}):
			rest, of = rest[len(attester.Digest{}):], replies
		default:
			c.Problem(kindCharge, "key")
			return nil
		}
		if !of[string(rest)] && len(of) == maxClasses {
			c.Problem(kindCharge, "more classes than an issuer has")
			return nil
		}
		of[string(rest)] = true
		return nil
	})
	end()
	return err
}
