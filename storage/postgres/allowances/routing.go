package allowances

import "github.com/pseudods/pseudods/storage/postgres"

var (
	byAccount = postgres.ByKey("account")
	ofAccount = postgres.Placement{Column: "account"}
)

var routing = postgres.Routing{
	Functions: map[string]postgres.Route{
		"look": byAccount, "charge": byAccount, "reduce": byAccount,
		"epochs_before": postgres.OnAll("select distinct r from ROWS r order by 1"),
		"end_epoch":     postgres.OnAll(""), "drop_epoch": postgres.OnAll(""),
		"open_epoch": postgres.Internal(),
	},
	Tables: map[string]postgres.Placement{
		"standing": ofAccount, "slot": ofAccount, "charge": ofAccount, "verdict": ofAccount,
		"epoch": {Copied: true},
	},
}
