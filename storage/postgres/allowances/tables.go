package allowances

import (
	"fmt"

	"github.com/pseudods/pseudods/storage/postgres"
)

// Tables are what a store that is moved here fills.
var Tables = []postgres.Table{
	{Name: "allowances.epoch", Columns: []string{"epoch", "dropped", "gone"}, Prepare: partitions},
	{Name: "allowances.standing", Columns: []string{"account", "seen", "first", "percent", "starts", "whole", "until", "strikes", "last"}},
	{Name: "allowances.slot", Columns: []string{"account", "epoch", "class", "spent"}},
	{Name: "allowances.charge", Columns: []string{"account", "epoch", "class", "request", "reply"}},
	{Name: "allowances.verdict", Columns: []string{"account", "epoch", "id"}},
}

// partitions makes those of an epoch as open_epoch does.
func partitions(epoch []any) string {
	if epoch[2] == true {
		return ""
	}
	return fmt.Sprintf(`create table if not exists allowances.slot_%[1]d partition of allowances.slot for values in (%[1]d) with (fillfactor = 70);
create table if not exists allowances.charge_%[1]d partition of allowances.charge for values in (%[1]d);
create table if not exists allowances.verdict_%[1]d partition of allowances.verdict for values in (%[1]d)`, epoch[0])
}
