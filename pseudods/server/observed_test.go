package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	embeddedallowances "github.com/pseudods/pseudods/storage/badger/allowances"
	embeddedgroups "github.com/pseudods/pseudods/storage/badger/groups"
	embeddedledger "github.com/pseudods/pseudods/storage/badger/ledger"
	embeddedqueues "github.com/pseudods/pseudods/storage/badger/queues"
	embeddedreports "github.com/pseudods/pseudods/storage/badger/reports"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/allowances"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/queues"
	"github.com/pseudods/pseudods/storage/postgres/reports"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

// observed are the stores of a provider, whatever their engine.
type observed struct {
	groups     ds.Store
	queues     qs.Store
	ds, qs     tokens.Ledger
	allowances attester.Store
	reports    moderation.Store
	closers    []io.Closer
}

func (o *observed) close() {
	for i := range o.closers {
		if err := o.closers[len(o.closers)-1-i].Close(); err != nil {
			panic(err)
		}
	}
}

func nullifierKey() tokens.NullifierKey {
	return must(tokens.NewNullifierKey(secret.New(bytes.Repeat([]byte{7}, 32))))
}

// openEmbedded opens the embedded stores of a configuration.
func openEmbedded(t *testing.T, c Config) *observed {
	t.Helper()
	o := &observed{}
	db := func(role Role, n int) *badger.DB {
		s := c.embedded(role)[n]
		for _, d := range []string{s.Dir, s.Fence} {
			mkdir(t, filepath.Dir(d))
		}
		db := must(badger.Open(badger.Config{Dir: s.Dir, Format: s.Format, Fence: s.Fence, OnRollback: s.rollback, MinFree: 1}))
		o.closers = append(o.closers, db)
		return db
	}
	spent := func(role Role) tokens.Ledger {
		s := c.embedded(role)[1]
		mkdir(t, filepath.Dir(s.Fence))
		l := must(embeddedledger.Open(embeddedledger.Config{Dir: s.Dir, Fence: s.Fence, Key: nullifierKey(), MinFree: 1}))
		o.closers = append(o.closers, l)
		return l
	}
	o.groups = embeddedgroups.New(db(DS, 0))
	o.queues = must(embeddedqueues.New(t.Context(), db(QS, 0)))
	o.ds, o.qs = spent(DS), spent(QS)
	o.allowances = embeddedallowances.New(db(Issuer, 0))
	o.reports = embeddedreports.New(db(Moderation, 0))
	return o
}

// openDatabases opens the databases of a configuration, with its fences.
func openDatabases(t *testing.T, c Config) *observed {
	t.Helper()
	o := &observed{}
	db := func(role Role) *postgres.DB {
		db := must(openDatabase(role, c.databases()[role]))
		o.closers = append(o.closers, db)
		return db
	}
	spent := func(db *postgres.DB, fence string) tokens.Ledger {
		l := must(ledger.Open(t.Context(), ledger.Config{DB: db, Fence: fence, Key: nullifierKey()}))
		o.closers = append(o.closers, l)
		return l
	}
	d, q := db(DS), db(QS)
	o.groups, o.ds = groups.New(d), spent(d, c.embedded(DS)[1].Fence)
	o.queues, o.qs = must(queues.New(q, secret.Bytes{})), spent(q, c.embedded(QS)[1].Fence)
	o.allowances, o.reports = allowances.New(db(Issuer)), reports.New(db(Moderation))
	return o
}

const today = qs.Day(20_000)

func id[T ~[16]byte](name string) (out T) {
	copy(out[:], name)
	return out
}

// queueOf are the settings of a queue with room for little.
func queueOf(n uint64, o wire.Overflow) qs.Queue {
	return qs.Queue{OwnerKey: [32]byte{byte(n)}, SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: bytes.Repeat([]byte{byte(n)}, 32)},
		Settings: wire.QueueSettings{Version: n, MaxEntries: 12, MaxBytes: 1 << 16, TTLDays: 30, Overflow: o, Push: []byte("push")}}
}

func entry(queue, mark string, number, segment uint64) qs.Append {
	a := qs.Append{Queue: id[wire.QueueID](queue), Mark: id[qs.Mark](mark), Number: number, KEMOutput: []byte("kem"), Counter: uint32(number) | 1<<31,
		Ciphertext: fmt.Appendf(nil, "%s %s %d", queue, mark, number)}
	binary.BigEndian.PutUint64(a.Segment[:], segment)
	return a
}

func payloadID(day qs.Day, name string) (id wire.PayloadID) {
	copy(id[4:], name)
	binary.BigEndian.PutUint32(id[:], uint32(day))
	return id
}

func part(batch uint64, first, n int, last bool) qs.Part {
	p := qs.Part{Key: [32]byte{1}, Kind: wire.PoolGroup, Batch: batch, First: uint32(first), Last: last}
	for i := range n {
		p.KeyPackages = append(p.KeyPackages, qs.KeyPackage{Encoded: fmt.Appendf(nil, "%d-%d", batch, first+i), LastDay: today + 30, LastResort: first+i == 1})
	}
	return p
}

// populate leaves something of each kind in the stores, and of each state that
// it can be in. Of two shards both have some.
func (o *observed) populate(ctx context.Context) {
	check := func(errs ...error) {
		for _, err := range errs {
			if err != nil {
				panic(err)
			}
		}
	}
	for n := range 5 {
		group := wire.GroupID{byte(n), 1}
		for base := range uint64(3) {
			b := &ds.Batch{Base: base, Puts: []ds.Record{{Key: []byte{1, byte(base)}, Value: bytes.Repeat([]byte{byte(n)}, 100*n)}, {Key: []byte{2}, Value: nil}}}
			if base == 2 {
				b.Deletes = [][]byte{{1, 0}}
			}
			for lane := range n % 3 {
				b.Messages = append(b.Messages, ds.Message{Lane: ds.Lane{byte(lane)}, Parts: [][]byte{[]byte("one"), []byte("two")}})
			}
			check(o.groups.Commit(ctx, group, b))
		}
		_, err := o.groups.Done(ctx, group, ds.Lane{}, 1)
		check(err)
	}

	for n, name := range []string{"crowded", "drops", "deleted", "empty"} {
		overflow := wire.OverflowRefuse
		if name == "drops" {
			overflow = wire.OverflowDropOldest
		}
		must(o.queues.CreateQueue(ctx, id[wire.QueueID](name), today-3, queueOf(uint64(n+1), overflow)))
	}
	for i := range uint64(12) {
		var all []qs.Append
		for _, name := range []string{"crowded", "drops", "deleted"} {
			a := entry(name, "mark", i+1, i/5)
			a.Claim = id[qs.Mark]("claim")
			all = append(all, a)
		}
		must(o.queues.Append(ctx, today-2+qs.Day(i/6), all))
	}
	brief := entry("drops", "brief", 1, 9)
	brief.Brief = true
	must(o.queues.Append(ctx, today, []qs.Append{brief}))
	check(o.queues.AckQueue(ctx, id[wire.QueueID]("crowded"), today-1, 3), o.queues.AckQueue(ctx, id[wire.QueueID]("drops"), today, 7),
		o.queues.DeleteQueue(ctx, id[wire.QueueID]("deleted")),
		o.queues.Revoke(ctx, id[wire.QueueID]("crowded"), today, id[qs.Mark]("unseen")),
		o.queues.Revoke(ctx, id[wire.QueueID]("drops"), today, id[qs.Mark]("mark")))
	must(o.queues.ConfigureQueue(ctx, id[wire.QueueID]("empty"), wire.QueueSettings{Version: 1 << 63, MaxEntries: 3, MaxBytes: 1 << 60, TTLDays: 1}))

	for n, size := range []int{0, 1, 700 << 10} {
		check(o.queues.PutPayload(ctx, payloadID(today+qs.Day(n/2), fmt.Sprint("p", n)), bytes.Repeat([]byte{byte(n)}, size), 9+n))
	}
	check(o.queues.Release(ctx, payloadID(today+1, "p2"), []uint16{0, 3, 9, 10}))

	pool := id[wire.PoolID]("pool")
	must(o.queues.Publish(ctx, pool, part(4, 0, 3, false)))
	must(o.queues.Publish(ctx, pool, part(4, 3, 2, true)))
	must(o.queues.Publish(ctx, pool, part(1<<63, 0, 3, false))) // staged
	check(o.queues.Allow(ctx, pool, wire.ContactHash{1}, true), o.queues.Allow(ctx, pool, wire.ContactHash{2}, true), o.queues.Allow(ctx, pool, wire.ContactHash{2}, false))
	must(o.queues.Take(ctx, pool, today, qs.Claim{Kind: wire.PoolGroup, Contact: &wire.ContactHash{1}, Request: [32]byte{1}}))

	for _, l := range []tokens.Ledger{o.ds, o.qs} {
		for n, name := range []string{"older", "current", "gone"} {
			m := storagetest.NewMint(name)
			check(l.OpenEpoch(ctx, m.Epoch(uint64(10*(n+1)))))
			for i := range uint64(7 + n) {
				must(l.Spend(ctx, m.Nth(i), storagetest.Digest(i)))
			}
		}
		check(l.RetireEpoch(ctx, storagetest.NewMint("gone").Epoch(1).KeyID))
	}

	for n := range 9 {
		charge := attester.Charge{Slot: attester.Slot{Class: []string{"send", "create"}[n%2], Epoch: attester.Epoch(10 + n%3)},
			Request: attester.Digest{byte(n)}, Tokens: 2, Limit: 10, Reply: fmt.Appendf(nil, "reply %d", n), Once: n == 4}
		must(o.allowances.Charge(ctx, attester.Account{byte(n % 4)}, charge))
	}
	check(o.allowances.Reduce(ctx, attester.Account{1}, &attester.Reduction{Cut: attester.NewCut(50, 12, 2, 7), ID: [16]byte{1}, Expires: 14}, 12),
		o.allowances.Reduce(ctx, attester.Account{9}, &attester.Reduction{Cut: attester.NewCut(30, 11, 1, 1)}, 11), o.allowances.DropBefore(ctx, 11))

	for n := range byte(4) {
		check(o.reports.Add(ctx, moderation.CaseID{n}, &moderation.Case{Day: 7, Commitment: [32]byte{n}, Sealed: []byte{n, n}}, 10))
	}
	check(o.reports.Decide(ctx, moderation.CaseID{1}, moderation.Outcome{State: moderation.Upheld, Weight: attester.Normal}, []byte("verdict")),
		o.reports.Decide(ctx, moderation.CaseID{2}, moderation.Outcome{State: moderation.Dismissed}, nil))
}

// behave does what clients do, and tells what they get.
func (o *observed) behave(ctx context.Context) string {
	b := new(bytes.Buffer)
	say := func(what string, v any, err error) {
		if err != nil {
			v = nil
		}
		fmt.Fprintf(b, "%s: %+v, %v\n", what, v, err)
	}
	message := func(group wire.GroupID, lane byte) uint64 {
		first, err := o.groups.First(ctx, group, ds.Lane{lane})
		say("first", first, err)
		m, err := o.groups.Message(ctx, group, ds.Lane{lane}, first)
		say("message", m, err)
		return first
	}
	waiting, err := o.groups.Waiting(ctx, ds.Ref{}, 100)
	say("waiting", waiting, err)
	for n := range 6 {
		group := wire.GroupID{byte(n), 1}
		s, err := o.groups.Read(ctx, group, []ds.Lookup{{Key: []byte{1, 0}}, {Key: []byte{1, 0}, Prefix: 1}, {Key: []byte{2}}})
		say("group", s, err)
		for lane := range byte(2) {
			if first := message(group, lane); first > 0 {
				next, err := o.groups.Done(ctx, group, ds.Lane{lane}, first)
				say("done", next, err)
			}
		}
		for base := range uint64(4) {
			say("commit", base, o.groups.Commit(ctx, group, &ds.Batch{Base: base, Puts: []ds.Record{{Key: []byte{1, 9}, Value: []byte("new")}},
				Messages: []ds.Message{{Lane: ds.Lane{1}, Parts: [][]byte{[]byte("more")}}}}))
		}
		message(group, 1)
	}
	o.behaveQueues(ctx, say)
	for _, l := range []tokens.Ledger{o.ds, o.qs} {
		for _, name := range []string{"older", "current", "gone", "new"} {
			m := storagetest.NewMint(name)
			for i := range uint64(12) {
				outcome, err := l.Spend(ctx, m.Nth(i), storagetest.Digest(i%11))
				say("spend "+name, outcome, err)
			}
			usage, err := l.Usage(ctx, m.Epoch(1).KeyID)
			say("usage", usage, err)
			say("open", nil, l.OpenEpoch(ctx, m.Epoch(12)))
			outcome, err := l.Spend(ctx, m.Nth(20), storagetest.Digest(1))
			say("spend more", outcome, err)
		}
	}
	for account := range byte(10) {
		for epoch := attester.Epoch(10); epoch < 14; epoch++ {
			for n := range byte(10) {
				v, err := o.allowances.Look(ctx, attester.Account{account}, attester.Slot{Class: []string{"send", "create"}[n%2], Epoch: epoch}, attester.Digest{n})
				say("look", v, err)
			}
			reply, err := o.allowances.Charge(ctx, attester.Account{account}, attester.Charge{Slot: attester.Slot{Class: "send", Epoch: epoch},
				Request: attester.Digest{2}, Tokens: 7, Limit: 10, Reply: []byte("another")})
			say("charge", string(reply), err)
		}
		err := o.allowances.Reduce(ctx, attester.Account{account}, &attester.Reduction{Cut: attester.NewCut(20, 12, 2, 7), ID: [16]byte{1}, Expires: 14}, 12)
		say("reduce", nil, err)
	}
	list, more, err := o.reports.OpenCases(ctx, moderation.CaseID{})
	say("cases", fmt.Sprint(list, more), err)
	out, more, err := o.reports.Verdicts(ctx, moderation.CaseID{})
	say("verdicts", fmt.Sprint(out, more), err)
	for n := range byte(5) {
		id := moderation.CaseID{n}
		c, outcome, err := o.reports.Look(ctx, id)
		say("case", fmt.Sprint(c, outcome), err)
		say("add", nil, o.reports.Add(ctx, id, &moderation.Case{Day: 8, Sealed: []byte("x")}, 3))
		say("decide", nil, o.reports.Decide(ctx, id, moderation.Outcome{State: moderation.Dismissed}, nil))
	}
	n, err := o.reports.Waiting(ctx)
	say("cases waiting", n, err)
	return b.String()
}

// shown is what a reader sees of a page. Where a segment begins anew, with what
// opens it, is an engine's own choice.
func shown(p *wire.QueuePage) (s string) {
	if p == nil {
		return ""
	}
	for _, e := range p.Entries {
		for _, g := range p.Segments {
			if g.Start == e.Segment {
				s += fmt.Sprintf("%d %x %s: %d %s; ", e.Seq, g.ID, g.KEMOutput, e.Counter, e.Ciphertext)
			}
		}
	}
	return fmt.Sprint(s, p.Empty)
}

func (o *observed) behaveQueues(ctx context.Context, say func(string, any, error)) {
	queue := func(name string) wire.QueueID { return id[wire.QueueID](name) }
	read := func() {
		for _, name := range []string{"crowded", "drops", "deleted", "empty"} {
			q, err := o.queues.Queue(ctx, queue(name))
			say("queue "+name, q, err)
			for after := range uint64(3) {
				page, err := o.queues.ReadQueue(ctx, queue(name), today, 4*after, 5)
				say("read", shown(page), err)
			}
		}
	}
	read()
	for number := uint64(11); number < 16; number++ {
		for _, name := range []string{"crowded", "drops", "empty"} {
			for _, mark := range []string{"mark", "brief", "unseen", "new"} {
				for _, claim := range []string{"", "claim"} {
					a := entry(name, mark, number, 2)
					copy(a.Claim[:], claim)
					got, err := o.queues.Append(ctx, today, []qs.Append{a})
					say("append "+name+mark, got, err)
				}
			}
		}
	}
	read()
	say("ack", nil, o.queues.AckQueue(ctx, queue("crowded"), today, 6))
	settings, err := o.queues.ConfigureQueue(ctx, queue("empty"), wire.QueueSettings{Version: 1<<63 - 1, MaxEntries: 9, MaxBytes: 1, TTLDays: 1})
	say("configure", settings, err)
	say("expire", nil, o.queues.Expire(ctx, qs.Expiry{Queues: today - 2, Entries: today + 29, Marks: today - 1, Payloads: today, Claims: today - 1}))
	read()
	for n := range 3 {
		p := payloadID(today+qs.Day(n/2), fmt.Sprint("p", n))
		octets, err := o.queues.Payload(ctx, p)
		say("payload", fmt.Sprint(len(octets), bytes.Count(octets, []byte{byte(n)})), err)
		for i := range uint16(11) {
			say("release", nil, o.queues.Release(ctx, p, []uint16{i}))
			octets, err := o.queues.Payload(ctx, p)
			say("payload", len(octets), err)
		}
	}
	pool := id[wire.PoolID]("pool")
	key, err := o.queues.PoolKey(ctx, pool)
	say("pool", key, err)
	for n := range byte(7) {
		for contact := range byte(4) {
			kp, err := o.queues.Take(ctx, pool, today, qs.Claim{Kind: wire.PoolGroup, Contact: &wire.ContactHash{contact}, Request: [32]byte{n}})
			say("take", string(kp), err)
		}
		say("allow", nil, o.queues.Allow(ctx, pool, wire.ContactHash{2}, true))
	}
	status, err := o.queues.Publish(ctx, pool, part(1<<63, 3, 2, true))
	say("publish", status, err)
	kp, err := o.queues.Take(ctx, pool, today, qs.Claim{Kind: wire.PoolGroup, Contact: &wire.ContactHash{1}, Request: [32]byte{99}})
	say("take", string(kp), err)
}
