package ledger

import "github.com/pseudods/pseudods/storage/postgres"

// Checks are what a database cannot have unless it is damaged. A partition is counted
// in one statement.
var Checks = []postgres.Walk{{
	Anchor: "spent.epoch", Key: "ordinal", Type: "integer", Each: 1,
	Kinds: []postgres.Kind{
		{Name: "epoch", From: "spent.epoch e", Key: "e.ordinal", Octets: "0"},
		{Name: "nullifier", From: "spent.nullifier n", Key: "n.epoch", Octets: "octet_length(n.nullifier) + octet_length(n.tag)"},
	},
	Problems: []postgres.Problem{
		{Kind: "epoch", Text: "does not decode", Rows: `select from spent.epoch e where @(e.ordinal) and (octet_length(e.key) <> 32 or e.capacity <= 0 or e.spent < 0)`},
		{Kind: "epoch", Text: "partition is missing", Rows: `select from spent.epoch e where @(e.ordinal) and not e.closing and to_regclass('spent.nullifier_' || e.ordinal) is null`},
		{Kind: "nullifier", Text: "key", Rows: `select from spent.nullifier n where @(n.epoch) and octet_length(n.nullifier) <> 16`},
		{Kind: "nullifier", Text: "does not decode", Rows: `select from spent.nullifier n where @(n.epoch) and octet_length(n.tag) <> 16`},
		{Kind: "nullifier", Text: "of no epoch", Rows: `select from spent.nullifier n where @(n.epoch) and not exists (select from spent.epoch e where e.ordinal = n.epoch)`},
		{Kind: "count", Text: "is not what is counted", Rows: `select from spent.epoch e where @(e.ordinal) and not e.closing
			and e.spent <> (select count(*) from spent.nullifier n where n.epoch = e.ordinal)`},
		{Kind: "tombstone", Text: "its epoch is open", Rows: `select from spent.epoch e join spent.closed c on c.key = e.key where @(e.ordinal) and not e.closing`},
		{Kind: "tombstone", Text: "missing for an epoch being closed", Rows: `select from spent.epoch e where @(e.ordinal) and e.closing
			and not exists (select from spent.closed c where c.key = e.key)`},
	},
}, {
	Kinds: []postgres.Kind{{Name: "tombstone", From: "spent.closed c", Key: "c.key", Octets: "0"}},
	Problems: []postgres.Problem{
		{Kind: "tombstone", Text: "key", Rows: `select from spent.closed c where octet_length(c.key) <> 32`},
		{Kind: "registry", Text: "next number was given out", Rows: `select from spent.registry r where r.next_ordinal <= (select max(e.ordinal) from spent.epoch e)`},
		{Kind: "registry", Text: "missing", Rows: `select where exists (select from spent.epoch) and not exists (select from spent.registry)`},
	},
}}
