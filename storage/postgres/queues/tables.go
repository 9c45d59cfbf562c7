package queues

import "github.com/pseudods/pseudods/storage/postgres"

// Tables are what a store that is moved here fills.
var Tables = []postgres.Table{
	{Name: "queues.queue", Columns: []string{"queue", "owner_key", "segment_kem", "segment_key", "version", "push"}},
	{Name: "queues.head", Columns: []string{"queue", "last", "floor", "bytes", "max_bytes", "segment", "segment_start", "max_entries", "ttl", "marks", "used",
		"oldest", "drop_oldest", "push"}},
	{Name: "queues.mark", Columns: []string{"queue", "mark", "claim", "number", "used", "revoked", "brief"}},
	{Name: "queues.segment", Columns: []string{"queue", "start", "segment", "kem_output"}},
	{Name: "queues.entry", Columns: []string{"queue", "seq", "segment", "tag", "day", "counter", "ciphertext"}},
	{Name: "queues.payload", Columns: []string{"day", "payload", "octets"}, Prepare: postgres.Partition(0, "select queues.add_day(%d)")},
	{Name: "queues.payload_need", Columns: []string{"day", "payload", "recipients"}, Prepare: postgres.Partition(0, "select queues.add_day(%d)")},
	{Name: "queues.pool", Columns: []string{"pool", "key", "kind", "contacts", "restores", "batch", "next", "most", "last_resort", "staged", "staged_most",
		"staged_received", "staged_last_resort", "tag", "tag_available"}},
	{Name: "queues.key_package", Columns: []string{"pool", "batch", "number", "last_day", "encoded"}},
	{Name: "queues.contact", Columns: []string{"pool", "contact", "allowed"}},
	{Name: "queues.claim", Columns: []string{"pool", "request", "day", "encoded"}},
}
