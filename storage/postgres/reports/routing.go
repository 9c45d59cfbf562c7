package reports

import "github.com/pseudods/pseudods/storage/postgres"

// Cases are the keys. Each shard counts its own; before one takes a case it is told
// what the others have.
var routing = postgres.Routing{
	Functions: map[string]postgres.Route{
		"add": postgres.ByKey("id"), "look": postgres.ByKey("id"), "decide": postgres.ByKey("id"), "sent": postgres.ByKey("id"),
		"open_cases": postgres.OnAll("select * from ROWS r order by r.id limit $2"),
		"verdicts":   postgres.OnAll("select * from ROWS r order by r.id limit $2"),
		"waiting":    postgres.OnAll("select sum(r)::bigint from ROWS r"), "waiting_beside": postgres.OnAll("select sum(r)::bigint from ROWS r"),
	},
	Tables: map[string]postgres.Placement{"report": {Column: "id"}, "open_count": {Copied: true}},
	// The count is taken when those who add and decide are through.
	Halved: []string{"lock table reports.open_count; update reports.open_count set open = (select count(*) from reports.report where state = 1)"},
}
