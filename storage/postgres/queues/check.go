package queues

import (
	"strconv"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/storage/postgres"
)

// Texts of findings that several kinds have.
const (
	contradict = "numbers contradict each other"
	gap        = "not the next of its queue or pool"
	miscounted = "count differs from what is there"
	ofNoQueue  = "of no queue"
	ofNoPool   = "of no pool"
	// noPartition: one of the two tables of a day.
	noPartition = "partition of a day is missing"
)

// unpaired finds the days of which a table has a partition and another table none.
func unpaired(table, other string) string {
	return `select from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'queues.` + table + `'::regclass and not exists (
		select from pg_inherits o join pg_class d on d.oid = o.inhrelid where o.inhparent = 'queues.` + other + `'::regclass
		and replace(d.relname, '` + other + `_', '') = replace(c.relname, '` + table + `_', ''))`
}

// Checks are what a database cannot have unless it is damaged. What is sealed they
// cannot judge, nor so which payload an entry points to: that it is gone shows in the
// references of those who have not fetched it. Numbers of entries and of references do
// not tell more, as a client may give a ticket back before it acknowledges the entry. A
// segment that nothing needs any more may lie until its queue is read again.
var Checks = []postgres.Walk{{
	Anchor: "queues.head", Key: "queue", Type: "uuid", Each: 256,
	Kinds: []postgres.Kind{
		{Name: "queue", From: "queues.queue q", Key: "q.queue", Octets: "octet_length(q.owner_key) + octet_length(q.segment_key) + octet_length(q.push)"},
		{Name: "head", From: "queues.head h", Key: "h.queue", Octets: "0"},
		{Name: "mark", From: "queues.mark m", Key: "m.queue", Octets: "0"},
		{Name: "entry", From: "queues.entry e", Key: "e.queue", Octets: "octet_length(e.ciphertext)"},
		{Name: "segment", From: "queues.segment s", Key: "s.queue", Octets: "octet_length(s.kem_output)"},
	},
	Problems: []postgres.Problem{
		{Kind: "queue", Text: "head is missing", Rows: `select from queues.queue q where @(q.queue) and not exists (select from queues.head h where h.queue = q.queue)`},
		{Kind: "queue", Text: "head has other settings", Rows: `select from queues.queue q join queues.head h on h.queue = q.queue
			where @(q.queue) and @(h.queue) and h.push <> (octet_length(q.push) > 0)`},
		{Kind: "queue", Text: "does not decode", Rows: `select from queues.queue q where @(q.queue) and octet_length(q.owner_key) <> ` + strconv.Itoa(len(qs.Queue{}.OwnerKey))},
		{Kind: "head", Text: "queue is missing", Rows: `select from queues.head h where @(h.queue) and not exists (select from queues.queue q where q.queue = h.queue)`},
		{Kind: "head", Text: contradict, Rows: `select from queues.head h where @(h.queue) and (h.floor not between 0 and h.last or h.bytes < 0 or h.marks < 0
			or h.segment_start not between 0 and h.last or h.last = h.floor and h.bytes <> 0)`},
		{Kind: "head", Text: miscounted, Rows: `select from queues.head h where @(h.queue) and h.marks <> (select count(*) from queues.mark m where m.queue = h.queue)`},
		{Kind: "head", Text: "sum of octets", Rows: `select from queues.head h where @(h.queue) and h.bytes <>
			(select coalesce(sum(octet_length(e.ciphertext) + ` + strconv.Itoa(qs.EntryOverhead) + `), 0) from queues.entry e where e.queue = h.queue)`},
		{Kind: "entry", Text: gap, Rows: `select from queues.head h cross join lateral
			(select count(*) as n, min(e.seq) as first, max(e.seq) as last from queues.entry e where e.queue = h.queue) e
			where @(h.queue) and (e.n <> h.last - h.floor or e.n > 0 and (e.first <> h.floor + 1 or e.last <> h.last))`},
		{Kind: "entry", Text: "its segment is missing", Rows: `select from queues.entry e where @(e.queue)
			and not exists (select from queues.segment s where s.queue = e.queue and s.start = e.segment)`},
		{Kind: "segment", Text: "without entries", Rows: `select from queues.segment s join queues.head h on h.queue = s.queue where @(s.queue) and @(h.queue) and s.start > h.floor
			and not exists (select from queues.entry e where e.queue = s.queue and e.seq = s.start and e.segment = s.start)`},
		{Kind: "segment", Text: "head names another", Rows: `select from queues.head h join queues.segment s on s.queue = h.queue and s.start = h.segment_start
			where @(h.queue) and @(s.queue) and s.segment <> h.segment`},
		{Kind: "head", Text: "last segment is missing", Rows: `select from queues.head h where @(h.queue) and h.segment_start > 0
			and not exists (select from queues.segment s where s.queue = h.queue and s.start = h.segment_start)`},
		{Kind: "mark", Text: ofNoQueue, Rows: `select from queues.mark m where @(m.queue) and not exists (select from queues.head h where h.queue = m.queue)`},
		{Kind: "entry", Text: ofNoQueue, Rows: `select from queues.entry e where @(e.queue) and not exists (select from queues.head h where h.queue = e.queue)`},
		{Kind: "segment", Text: ofNoQueue, Rows: `select from queues.segment s where @(s.queue) and not exists (select from queues.head h where h.queue = s.queue)`},
	},
}, {
	Anchor: "queues.payload_need", Key: "payload", Type: "uuid", Each: 256,
	Kinds: []postgres.Kind{
		{Name: "payload", From: "queues.payload p", Key: "p.payload", Octets: "octet_length(p.octets)"},
		{Name: "references", From: "queues.payload_need n", Key: "n.payload", Octets: "octet_length(n.recipients)"},
	},
	Problems: []postgres.Problem{
		{Kind: "payload", Text: "references are missing", Rows: `select from queues.payload p where @(p.payload)
			and not exists (select from queues.payload_need n where n.payload = p.payload and n.day = p.day)`},
		{Kind: "references", Text: "payload is missing", Rows: `select from queues.payload_need n where @(n.payload)
			and not exists (select from queues.payload p where p.payload = n.payload and p.day = n.day)`},
		{Kind: "references", Text: "recipients", Rows: `select from queues.payload_need n where @(n.payload) and bit_count(n.recipients) = 0`},
	},
}, {
	Problems: []postgres.Problem{
		{Kind: "payload", Text: noPartition, Rows: unpaired("payload_need", "payload")},
		{Kind: "references", Text: noPartition, Rows: unpaired("payload", "payload_need")},
	},
}, {
	Anchor: "queues.pool", Key: "pool", Type: "uuid", Each: 64,
	Kinds: []postgres.Kind{
		{Name: "pool", From: "queues.pool p", Key: "p.pool", Octets: "octet_length(p.key)"},
		{Name: "KeyPackage", From: "queues.key_package k", Key: "k.pool", Octets: "octet_length(k.encoded)"},
		{Name: "contact", From: "queues.contact c", Key: "c.pool", Octets: "octet_length(c.contact)"},
		{Name: "claim", From: "queues.claim c", Key: "c.pool", Octets: "octet_length(c.encoded)"},
	},
	Problems: []postgres.Problem{
		{Kind: "pool", Text: contradict, Rows: `select from queues.pool p where @(p.pool) and (p.next not between 0 and p.most or p.contacts < 0
			or p.staged_received <> p.staged_most + p.staged_last_resort::integer)`},
		{Kind: "pool", Text: miscounted, Rows: `select from queues.pool p where @(p.pool) and p.contacts <> (select count(*) from queues.contact c where c.pool = p.pool)`},
		{Kind: "pool", Text: "staged batch", Rows: `select from queues.pool p cross join lateral (
				select count(*) filter (where k.number >= 0) as n, max(k.number) as last, coalesce(bool_or(k.number = -1), false) as resort
				from queues.key_package k where k.pool = p.pool and k.batch = p.staged) k
			where @(p.pool) and p.staged > p.batch and (k.n <> p.staged_most or k.n > 0 and k.last <> k.n - 1 or k.resort <> p.staged_last_resort)`},
		{Kind: "KeyPackage", Text: gap, Rows: `select from queues.pool p cross join lateral (
				select count(*) filter (where k.number >= 0) as n, min(k.number) filter (where k.number >= 0) as first, max(k.number) as last
				from queues.key_package k where k.pool = p.pool and k.batch = p.batch) k
			where @(p.pool) and (k.n <> p.most - p.next or k.n > 0 and (k.first <> p.next or k.last <> p.most - 1))`},
		{Kind: "KeyPackage", Text: "of last resort is missing", Rows: `select from queues.pool p where @(p.pool)
			and p.last_resort <> exists (select from queues.key_package k where k.pool = p.pool and k.batch = p.batch and k.number = -1)`},
		{Kind: "KeyPackage", Text: "of no batch of its pool", Rows: `select from queues.key_package k join queues.pool p on p.pool = k.pool
			where @(k.pool) and @(p.pool) and k.batch <> p.batch and k.batch <> p.staged`},
		{Kind: "KeyPackage", Text: ofNoPool, Rows: `select from queues.key_package k where @(k.pool) and not exists (select from queues.pool p where p.pool = k.pool)`},
		{Kind: "contact", Text: ofNoPool, Rows: `select from queues.contact c where @(c.pool) and not exists (select from queues.pool p where p.pool = c.pool)`},
		{Kind: "claim", Text: ofNoPool, Rows: `select from queues.claim c where @(c.pool) and not exists (select from queues.pool p where p.pool = c.pool)`},
	},
}}
