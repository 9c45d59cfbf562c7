package reports

import (
	"context"

	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/badger"
)

var kinds = []badger.Kind{
	{First: kindCount, Name: "count"},
	{First: kindOpen, Name: "open case"},
	{First: kindDecided, Name: "decided case"},
	{First: kindVerdict, Name: "waiting verdict"},
}

// Check goes over a database opened with [Format] and reports what cannot be
// right: records that do not decode, a count that is not what is counted, cases that
// are open and decided, and verdicts of cases that were not upheld. What is sealed it
// cannot judge.
func Check(ctx context.Context, db *badger.DB, report func(badger.Finding)) (badger.Summary, error) {
	return db.Inspect(ctx, kinds, report, func(i *badger.Inspection) error {
		c := &check{i}
		for _, step := range []func() error{c.decided, c.verdicts, c.open} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

const keySize = 1 + len(moderation.CaseID{})

type check struct{ *badger.Inspection }

func (c *check) decided() error {
	return c.Visit([]byte{kindDecided}, func(key, value []byte) error {
		if _, err := parseOutcome(value); err != nil || len(key) != keySize {
			c.Problem(kindDecided, "does not decode")
		}
		return nil
	})
}

func (c *check) verdicts() error {
	return c.Visit([]byte{kindVerdict}, func(key, value []byte) error {
		if len(key) != keySize || len(value) == 0 {
			c.Problem(kindVerdict, "does not decode")
			return nil
		}
		b, err := get(c.Get, caseKey(kindDecided, moderation.CaseID(key[1:])))
		if err != nil {
			return err
		}
		if o, err := parseOutcome(b); err != nil || o.State != moderation.Upheld {
			c.Problem(kindVerdict, "of a case that was not upheld")
		}
		return nil
	})
}

func (c *check) open() error {
	counted := uint64(0)
	err := c.Visit([]byte{kindCount}, func(key, value []byte) (err error) {
		if counted, err = parseCount(value); err != nil || len(key) != 1 {
			c.Problem(kindCount, "does not decode")
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = c.Visit([]byte{kindOpen}, func(key, value []byte) error {
		if _, err := parseCase(value); err != nil || len(key) != keySize {
			c.Problem(kindOpen, "does not decode")
			return nil
		}
		decided, err := c.Has(caseKey(kindDecided, moderation.CaseID(key[1:])))
		if decided {
			c.Problem(kindOpen, "was decided")
		}
		return err
	})
	if err == nil && c.Visited(kindOpen) != counted {
		c.Report(badger.Finding{Kind: "count", Problem: "is not what is counted", Count: 1})
	}
	return err
}
