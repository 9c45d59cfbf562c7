package ledger

import "github.com/pseudods/pseudods/storage/postgres"

// Tables are what a store that is moved here fills.
var Tables = []postgres.Table{
	{Name: "spent.registry", Columns: []string{"one", "check_value", "next_ordinal"}},
	{Name: "spent.epoch", Columns: []string{"key", "ordinal", "capacity", "spent", "closing"},
		Prepare: postgres.Partition(1, "create table if not exists spent.nullifier_%[1]d partition of spent.nullifier for values in (%[1]d)")},
	{Name: "spent.closed", Columns: []string{"key", "fenced"}},
	{Name: "spent.nullifier", Columns: []string{"epoch", "nullifier", "tag"},
		Under: &postgres.Under{Table: "spent.epoch", Number: "ordinal", Column: "epoch"}},
}
