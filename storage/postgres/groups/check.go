package groups

import "github.com/pseudods/pseudods/storage/postgres"

// Checks are what a database cannot have unless it is damaged. What is sealed they
// cannot judge.
var Checks = []postgres.Walk{{
	Anchor: "groups.groups", Key: "id", Type: "bytea", Each: 256,
	Kinds: []postgres.Kind{
		{Name: "version", From: "groups.groups g", Key: "g.id", Octets: "0"},
		{Name: "record", From: "groups.record r", Key: "r.id", Octets: "octet_length(r.key) + octet_length(r.value)"},
		{Name: "message part", From: "groups.message_part p", Key: "p.id", Octets: "octet_length(p.content)"},
	},
	Problems: []postgres.Problem{
		{Kind: "version", Text: "does not decode", Rows: `select from groups.groups g where @(g.id)
			and (octet_length(g.id) <> 32 or octet_length(g.batch) <> 16 or g.version < 1 or g.sequence < 0)`},
		{Kind: "version", Text: "more messages than batches", Rows: `select from groups.groups g where @(g.id) and g.sequence > g.version`},
		{Kind: "record", Text: "of no group", Rows: `select from groups.record r where @(r.id) and not exists (select from groups.groups g where g.id = r.id)`},
		{Kind: "message part", Text: "of no group", Rows: `select from groups.message_part p where @(p.id) and not exists (select from groups.groups g where g.id = p.id)`},
		{Kind: "message part", Text: "key", Rows: `select from groups.message_part p where @(p.id) and (octet_length(p.lane) <> 16 or p.sequence < 1)`},
		{Kind: "message part", Text: "ahead of the group", Rows: `select from groups.message_part p join groups.groups g on g.id = p.id where @(p.id) and @(g.id) and p.sequence > g.sequence`},
		{Kind: "message part", Text: "not the next of its message", Rows: `select from groups.message_part p where @(p.id)
			group by p.id, p.lane, p.sequence having min(p.part) <> 0 or max(p.part) <> count(*) - 1`},
	},
}}
