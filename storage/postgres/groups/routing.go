package groups

import "github.com/pseudods/pseudods/storage/postgres"

// Groups are keys; the processes are known in one place.
var routing = postgres.Routing{
	Functions: map[string]postgres.Route{
		"read": postgres.ByKey("id"), "commit": postgres.ByKey("id"), "first": postgres.ByKey("id"), "message": postgres.ByKey("id"), "done": postgres.ByKey("id"),
		"waiting": postgres.OnAll("select * from ROWS r order by r.id, r.lane limit $3"),
		"attend":  postgres.OnFirst(), "inherit": postgres.OnFirst(), "leave": postgres.OnFirst(),
	},
	Tables: map[string]postgres.Placement{
		"groups": {Column: "id"}, "record": {Column: "id"}, "message_part": {Column: "id"},
		"process": {},
	},
}
