package ledger

import "github.com/pseudods/pseudods/storage/postgres"

// Token keys are the keys: all tokens of one are in one shard, as nothing else
// counts them exactly.
var routing = postgres.Routing{
	Functions: map[string]postgres.Route{
		"begin_with": postgres.OnAll("select bool_and(r) from ROWS r"),
		"epochs":     postgres.OnAll("select * from ROWS"),
		"state":      postgres.ByKey("key"), "usage": postgres.ByKey("key"), "open_epoch": postgres.ByKey("key"),
		"retire": postgres.ByKey("key"), "drop_epoch": postgres.ByKey("key"), "spend": postgres.ByKey("key"),
		"fence_epochs_at": postgres.ByPart(),
		"fence_epochs":    postgres.Internal(), "drop_strays": postgres.Internal(),
	},
	Tables: map[string]postgres.Placement{
		"registry": {Copied: true},
		"epoch":    {Column: "key"}, "closed": {Column: "key"},
		"nullifier": {Copied: true}, // see Halved
	},
	Halved: []string{"select spent.drop_strays()"},
}
