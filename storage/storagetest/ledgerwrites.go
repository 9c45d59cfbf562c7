package storagetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/storage/storagetest/faults"
	"github.com/pseudods/pseudods/tokens"
)

func writeMint(n byte) *Mint { return NewMint(fmt.Sprint("write ", n)) }

func openEpoch(l Ledger, n byte) error {
	return l.OpenEpoch(context.Background(), writeMint(n).Epoch(10))
}

func spendFirst(l Ledger, n byte) error {
	_, err := l.Spend(context.Background(), writeMint(n).Nth(1), Digest("a"))
	return err
}

// showEpoch shows an epoch with its count of spent tokens.
func showEpoch(l Ledger, n byte) (string, error) {
	ctx, m := context.Background(), writeMint(n)
	usage, err := l.Usage(ctx, m.KeyID())
	for _, closed := range []error{tokens.ErrEpochUnknown, tokens.ErrEpochRetired} {
		if errors.Is(err, closed) {
			return closed.Error(), nil
		}
	}
	return fmt.Sprintf("%+v", usage), err
}

// ledgerWrites are the writes of a ledger.
var ledgerWrites = []faults.Write[Ledger]{
	{Name: "open an epoch", Do: openEpoch, Show: showEpoch},
	{Name: "spend", Prepare: openEpoch, Do: spendFirst, Show: showEpoch},
	{
		Name: "retire an epoch",
		Prepare: func(l Ledger, n byte) error {
			return errors.Join(openEpoch(l, n), spendFirst(l, n))
		},
		Do:   func(l Ledger, n byte) error { return l.RetireEpoch(context.Background(), writeMint(n).KeyID()) },
		Show: showEpoch,
	},
}
