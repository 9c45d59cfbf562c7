package reports

import "github.com/pseudods/pseudods/storage/postgres"

// Tables are what a store that is moved here fills.
var Tables = []postgres.Table{
	{Name: "reports.report", Columns: []string{"id", "state", "weight", "day", "commitment", "sealed", "verdict"},
		Finish: "update reports.open_count set open = (select count(*) from reports.report where state = 1)"},
}
