package allowances_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/allowances"
	"github.com/pseudods/pseudods/storage/badger/badgertest"
	"github.com/pseudods/pseudods/storage/storagetest/faults"
)

type closing struct {
	*allowances.Store
	close func() error
}

func (s closing) Close() error { return s.close() }

// TestWritesFail fails charges, cuts and the dropping of epochs at every step.
// Dropping is of the whole store, so each uses an epoch after all before it.
func TestWritesFail(t *testing.T) {
	ctx := context.Background()
	account := func(n byte) attester.Account { return attester.Account{9, n} }
	charge := func(epoch attester.Epoch, tokens int) attester.Charge {
		return attester.Charge{Slot: attester.Slot{Class: "send", Epoch: epoch}, Request: attester.Digest{1}, Tokens: tokens, Limit: 10, Reply: []byte("reply")}
	}
	show := func(epoch attester.Epoch) func(closing, byte) (string, error) {
		return func(s closing, n byte) (string, error) {
			v, err := s.Look(ctx, account(n), attester.Slot{Class: "send", Epoch: epoch}, attester.Digest{1})
			return fmt.Sprintf("%+v", v), err
		}
	}
	faults.Run(t, func(t *testing.T) faults.Site[closing] {
		return badgertest.NewSite(t, badgertest.Driver[closing]{Format: allowances.Format, Check: allowances.Check,
			New: func(db *badger.DB, close func() error) (closing, error) {
				return closing{allowances.New(db), close}, nil
			}})
	}, []faults.Write[closing]{
		{
			Name: "charge",
			Do: func(s closing, n byte) error {
				_, err := s.Charge(ctx, account(n), charge(1000, 6))
				return err
			},
			Show: show(1000),
		},
		{
			Name: "reduce",
			Do: func(s closing, n byte) error {
				err := s.Reduce(ctx, account(n), &attester.Reduction{Cut: attester.NewCut(50, 1001, 1, 7), ID: [16]byte{n, 1}, Expires: 1000}, 1000)
				if errors.Is(err, attester.ErrRepeated) {
					return nil
				}
				return err
			},
			Show: show(1000),
		},
		{
			Name: "drop",
			Prepare: func(s closing, n byte) error {
				_, err := s.Charge(ctx, account(n), charge(attester.Epoch(200-int(n)), 6))
				return err
			},
			Do: func(s closing, n byte) error { return s.DropBefore(ctx, attester.Epoch(201-int(n))) },
			Show: func(s closing, n byte) (string, error) {
				// Whether the epoch takes charges, which this one is too much for.
				_, err := s.Charge(ctx, account(n), attester.Charge{Slot: attester.Slot{Class: "send", Epoch: attester.Epoch(200 - int(n))}, Request: attester.Digest{2}, Tokens: 5, Limit: 10})
				if errors.Is(err, attester.ErrPast) || errors.Is(err, attester.ErrExhausted) {
					return err.Error(), nil
				}
				return "", fmt.Errorf("a charge that is too much gave %v", err)
			},
		},
	})
}
