package allowances

import "github.com/pseudods/pseudods/storage/postgres"

// inEpoch finds rows of a partitioned table whose epoch is not there any more, or
// was never opened.
func inEpoch(table string) string {
	return `select from allowances.` + table + ` t where @(t.account) and not exists (select from allowances.epoch e where e.epoch = t.epoch and not e.gone)`
}

// Checks are what a database cannot have unless it is damaged.
var Checks = []postgres.Walk{{
	Anchor: "allowances.slot", Key: "account", Type: "bytea", Each: 1024,
	Kinds: []postgres.Kind{
		{Name: "standing", From: "allowances.standing s", Key: "s.account", Octets: "0"},
		{Name: "counter", From: "allowances.slot t", Key: "t.account", Octets: "0"},
		{Name: "charge", From: "allowances.charge c", Key: "c.account", Octets: "octet_length(c.reply)"},
		{Name: "verdict", From: "allowances.verdict v", Key: "v.account", Octets: "0"},
	},
	Problems: []postgres.Problem{
		{Kind: "standing", Text: "does not decode", Rows: `select from allowances.standing s where @(s.account)
			and (octet_length(s.account) <> 32 or s.percent not between 0 and 100 or s.strikes < 0 or least(s.first, s.starts, s.whole, s.until, s.last) < 0)`},
		{Kind: "counter", Text: "does not decode", Rows: `select from allowances.slot t where @(t.account) and (octet_length(t.account) <> 32 or t.epoch < 0 or t.spent < 0)`},
		{Kind: "charge", Text: "does not decode", Rows: `select from allowances.charge c where @(c.account) and (octet_length(c.account) <> 32 or octet_length(c.request) <> 32)`},
		{Kind: "verdict", Text: "does not decode", Rows: `select from allowances.verdict v where @(v.account) and (octet_length(v.account) <> 32 or octet_length(v.id) <> 16)`},
		{Kind: "counter", Text: "of no epoch", Rows: inEpoch("slot")},
		{Kind: "charge", Text: "of no epoch", Rows: inEpoch("charge")},
		{Kind: "verdict", Text: "of no epoch", Rows: inEpoch("verdict")},
		{Kind: "charge", Text: "reply without a counter", Rows: `select from allowances.charge c where @(c.account)
			and not exists (select from allowances.slot t where t.account = c.account and t.epoch = c.epoch and t.class = c.class)`},
		{Kind: "charge", Text: "counter without a reply", Rows: `select from allowances.slot t where @(t.account)
			and not exists (select from allowances.charge c where c.account = t.account and c.epoch = t.epoch and c.class = t.class)`},
	},
}, {
	Kinds: []postgres.Kind{{Name: "epoch", From: "allowances.epoch e", Key: "e.epoch", Octets: "0"}},
	Problems: []postgres.Problem{
		{Kind: "epoch", Text: "gone and takes charges", Rows: `select from allowances.epoch e where e.gone and not e.dropped`},
		{Kind: "epoch", Text: "partition is missing", Rows: `select from allowances.epoch e where not e.gone and (to_regclass('allowances.slot_' || e.epoch) is null
			or to_regclass('allowances.charge_' || e.epoch) is null or to_regclass('allowances.verdict_' || e.epoch) is null)`},
	},
}}
