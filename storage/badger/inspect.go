package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"

	"github.com/pseudods/pseudods/storage/fence"
)

// Finding is something in a store that cannot be right. It names no record, so
// that a report says no more of the users than a metric may.
type Finding struct {
	Kind    string // of the record
	Problem string // one of a fixed set of texts
	// Ordinal says which record of its kind it is, counted from 1 in the order
	// of the check. It is 0 if Count records are meant, or none in particular.
	Ordinal uint64
	Count   uint64
}

// Kind is a kind of records: those whose keys begin with this octet.
type Kind struct {
	First byte
	Name  string
}

// Tally counts the records of one kind.
type Tally struct {
	Kind            string
	Records, Octets uint64 // octets of keys and values
	// Leftover are records of a deletion that a crash cut short, among those
	// counted. They are no fault: the driver removes them later.
	Leftover uint64
}

// Summary is what an inspection went over.
type Summary struct {
	Tallies  []Tally // in the order of the driver's kinds
	Findings uint64
}

// Inspection goes over one state of a database, for the check of a driver. It
// holds no more than a few records in memory.
type Inspection struct {
	ctx      context.Context
	snapshot *snapshot
	report   func(Finding)
	summary  *Summary
	kinds    map[byte]*inspected
	note     []byte
}

type inspected struct {
	tally   *Tally
	visited uint64
	parts   uint64 // of those visited, counted as another kind
}

// Inspect checks what the kernel knows: that the engine's tables are whole,
// format, number and fence, and that every record is of one of the kinds and
// within the limits. Then it calls f, which must visit each record once, from
// what the record belongs to: those that it did not reach belong to nothing, and
// are findings too. Findings go to report, if that is not nil. Inspect reads the
// whole database three times, and one state of it. An error means that the
// inspection did not end, [ErrDamaged] that damaged tables did not let it.
//
// The database may be in use, but for [DB.DropPrefix]: half of what is being
// dropped may be found missing. Close waits for the inspection.
func (db *DB) Inspect(ctx context.Context, kinds []Kind, report func(Finding), f func(*Inspection) error) (summary Summary, err error) {
	release, err := db.reading()
	if err != nil {
		return Summary{}, err
	}
	defer release()
	summary = Summary{Tallies: make([]Tally, len(kinds))}
	s, err := db.snapshot(ctx)
	if err != nil {
		return Summary{}, err
	}
	defer s.close()
	i := &Inspection{ctx: ctx, snapshot: s, report: report, summary: &summary, kinds: map[byte]*inspected{}}
	for n, k := range kinds {
		summary.Tallies[n].Kind = k.Name
		i.kinds[k.First] = &inspected{tally: &summary.Tallies[n]}
	}
	if err := db.verify(); err != nil {
		i.Report(Finding{Kind: "table", Problem: "checksum does not fit", Count: 1})
		// What can still be read is gone over all the same.
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() {
			if recover() != nil {
				err = ErrDamaged
			}
		}()
	}
	if err := db.inspectKernel(i); err != nil {
		return summary, err
	}
	if err := i.survey(); err != nil {
		return summary, err
	}
	if err := f(i); err != nil {
		return summary, err
	}
	for _, k := range kinds {
		v := i.kinds[k.First]
		if n := v.tally.Records + v.parts; n > v.visited {
			i.Report(Finding{Kind: k.Name, Problem: "belongs to nothing", Count: n - v.visited})
		}
	}
	return summary, nil
}

// Report notes a finding.
func (i *Inspection) Report(f Finding) {
	i.summary.Findings++
	if i.report != nil {
		i.report(f)
	}
}

// Problem notes a finding about the record of a kind that was visited last.
func (i *Inspection) Problem(kind byte, problem string) {
	k := i.kinds[kind]
	i.Report(Finding{Kind: k.tally.Kind, Problem: problem, Ordinal: k.visited, Count: 1})
}

// Visited returns how many records of a kind were visited so far.
func (i *Inspection) Visited(kind byte) uint64 { return i.kinds[kind].visited }

// Get returns a record's value, or [ErrNotFound].
func (i *Inspection) Get(key []byte) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return get(i.snapshot.txn, key)
}

// Has reports whether there is a record.
func (i *Inspection) Has(key []byte) (bool, error) {
	_, err := i.Get(key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Note returns the note that was set last.
func (i *Inspection) Note() []byte { return i.note }

// Visit calls f with the records whose keys have the prefix, in key order. Key
// and value are f's until it returns, and f may visit records of other kinds.
func (i *Inspection) Visit(prefix []byte, f func(key, value []byte) error) error {
	k := i.kinds[prefix[0]]
	return i.snapshot.each(i.ctx, prefix, func(key, value []byte) error {
		k.visited++
		return f(key, value)
	})
}

// Leftover counts the record of a kind that was visited last as one that a
// deletion has left.
func (i *Inspection) Leftover(kind byte) { i.kinds[kind].tally.Leftover++ }

// Part counts a visited record under the name of another kind, which has no records of
// its own: one that only the driver can tell apart.
func (i *Inspection) Part(kind, part byte, key, value []byte) {
	from, to := i.kinds[kind], i.kinds[part]
	size := uint64(len(key) + len(value))
	from.tally.Records, from.tally.Octets, from.parts = from.tally.Records-1, from.tally.Octets-size, from.parts+1
	to.tally.Records, to.tally.Octets, to.visited = to.tally.Records+1, to.tally.Octets+size, to.visited+1
}

// VisitLeftover visits records that a deletion has left.
func (i *Inspection) VisitLeftover(prefix []byte) error {
	return i.Visit(prefix, func(_, _ []byte) error {
		i.Leftover(prefix[0])
		return nil
	})
}

// survey counts all records, and finds those of no known kind or size.
func (i *Inspection) survey() error {
	var unknown uint64
	err := i.snapshot.all(i.ctx, func(key, value []byte) error {
		if key[0] == 0 {
			return nil // the kernel's
		}
		k := i.kinds[key[0]]
		if k == nil {
			unknown++
			return nil
		}
		k.tally.Records++
		k.tally.Octets += uint64(len(key) + len(value))
		if checkKey(key) != nil || len(value) > MaxValue {
			i.Report(Finding{Kind: k.tally.Kind, Problem: "size", Ordinal: k.tally.Records, Count: 1})
		}
		return nil
	})
	if unknown > 0 {
		i.Report(Finding{Kind: "unknown", Problem: "no kind of this store", Count: unknown})
	}
	return err
}

// inspectKernel checks the kernel's own records and the fence.
func (db *DB) inspectKernel(i *Inspection) error {
	problem := func(kind, problem string) { i.Report(Finding{Kind: kind, Problem: problem, Count: 1}) }
	var seq uint64
	var own *fence.State
	err := i.snapshot.each(i.ctx, []byte{0}, func(key, value []byte) error {
		var err error
		switch {
		case bytes.Equal(key, formatKey):
			_, err = parseFormat(value)
		case bytes.Equal(key, seqKey):
			seq, err = parseSeq(value)
		case bytes.Equal(key, movedKey):
			_, err = parseSeq(value)
		case bytes.Equal(key, lifeKey):
			_, err = parseLife(value)
		case bytes.Equal(key, fenceKey):
			own = new(fence.State)
			own.ID, own.Note, err = parseFenceRecord(value)
			i.note = own.Note
		default:
			problem("kernel", "unknown record")
		}
		if err != nil {
			problem("kernel", "does not decode")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if db.cfg.Fence == "" || !db.cfg.ReadOnly {
		return nil // not given, or compared by Open
	}
	b, err := os.ReadFile(db.cfg.Fence)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("badger: reading the fence: %w", err)
		}
		if own != nil {
			problem("fence", "missing")
		}
		return nil
	}
	outside, err := fence.Parse(b)
	switch {
	case err != nil:
		problem("fence", "does not decode")
	case own == nil && seq > 0 || own != nil && own.ID != outside.ID:
		problem("fence", "belongs to another database")
	case seq < outside.Seq:
		problem("fence", "database is older")
	case seq > outside.Seq+1:
		problem("fence", "older than the database")
	case seq == outside.Seq && own != nil && !slices.Equal(own.Note, outside.Note):
		problem("fence", "note differs")
	}
	return nil
}
