package groups

import "github.com/pseudods/pseudods/storage/postgres"

// Tables are what a store that is moved here fills.
var Tables = []postgres.Table{
	{Name: "groups.groups", Columns: []string{"id", "version", "sequence", "batch"}},
	{Name: "groups.record", Columns: []string{"id", "key", "value"}},
	{Name: "groups.message_part", Columns: []string{"id", "lane", "sequence", "part", "content"}},
}
