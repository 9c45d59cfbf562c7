package reports

import "github.com/pseudods/pseudods/storage/postgres"

const undecodable = "does not decode"

// Checks are what a database cannot have unless it is damaged. What is sealed they
// cannot judge.
var Checks = []postgres.Walk{{
	Anchor: "reports.report", Key: "id", Type: "bytea", Each: 256,
	Kinds: []postgres.Kind{
		{Name: "open case", From: "(select * from reports.report where state = 1) o", Key: "o.id", Octets: "octet_length(o.sealed)"},
		{Name: "decided case", From: "(select * from reports.report where state <> 1) d", Key: "d.id", Octets: "0"},
		{Name: "waiting verdict", From: "(select * from reports.report where verdict is not null) v", Key: "v.id", Octets: "octet_length(v.verdict)"},
	},
	Problems: []postgres.Problem{
		{Kind: "open case", Text: undecodable, Rows: `select from reports.report r where @(r.id) and r.state = 1
			and (octet_length(r.id) <> 16 or r.day is null or r.day not between 0 and 4294967295 or octet_length(r.commitment) is distinct from 32 or r.sealed is null)`},
		{Kind: "decided case", Text: undecodable, Rows: `select from reports.report r where @(r.id) and r.state <> 1
			and (octet_length(r.id) <> 16 or r.state not between 2 and 4 or r.state = 2 and r.weight not between 1 and 3 or r.state <> 2 and r.weight <> 0)`},
		{Kind: "decided case", Text: "has more than its outcome", Rows: `select from reports.report r where @(r.id) and r.state <> 1
			and (r.day is not null or r.commitment is not null or r.sealed is not null or r.attempt is not null)`},
		{Kind: "waiting verdict", Text: "of a case that was not upheld", Rows: `select from reports.report r where @(r.id) and r.verdict is not null and r.state <> 2`},
		{Kind: "waiting verdict", Text: undecodable, Rows: `select from reports.report r where @(r.id) and octet_length(r.verdict) = 0`},
	},
}, {
	Problems: []postgres.Problem{
		{Kind: "count", Text: "is not what is counted", Rows: `select where (select count(*) from reports.report where state = 1)
			is distinct from (select open from reports.open_count)`},
	},
}}
