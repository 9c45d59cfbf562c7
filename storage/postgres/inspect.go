package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Finding is something in a database that cannot be right. It names no row, so
// that a report says no more of the users than a metric may.
type Finding struct {
	Kind    string // of the rows
	Problem string // one of a fixed set of texts
	Count   uint64 // how many rows of a range have it
}

// Tally counts the rows of one kind.
type Tally struct {
	Kind            string
	Records, Octets uint64 // octets of what is sealed or signed in them
}

// Summary is what an inspection went over.
type Summary struct {
	Tallies  []Tally
	Findings uint64
}

// Walk is a part of the check of a driver: it goes over tables in the order of a
// partition key they have in common, a range of it at a time. All questions about a
// range are one statement and so of one state of its partitions.
//
// In the SQL of a walk, @(column) stands for the condition that the column, which
// has the key, is in the range.
type Walk struct {
	// Anchor is the table whose keys bound the ranges, Each of them to a range, and
	// Key its column, of type Type. Rows of other tables that belong to no key of the
	// anchor are in a range too. Without Anchor there is one range of everything.
	Anchor, Key, Type string
	Each              int
	Kinds             []Kind
	Problems          []Problem
}

// Kind says where the rows of a kind are.
type Kind struct {
	Name string
	// From is the table, or more of a FROM clause, and Key the column with the key.
	From, Key string
	// Octets is an expression for the size of a row, "0" for one without content.
	Octets string
}

// Problem is a question whose answer should have no rows.
type Problem struct {
	Kind, Text string
	// Rows is a SELECT of those that have the problem.
	Rows string
}

// Inspect goes over the tables of schemas, as their owner, and tells report, if
// that is not nil, what it found. Of a database that is one of several shards it also
// finds the rows of keys that another shard has; after a [Split] there are some until
// [RemoveOthers]. It changes nothing. Servers may be using the database, which may also
// be a standby, and then shows what that has replayed. Memory is bounded here, and at the server by
// its work_mem; no statement takes longer than a range does. An error means that the
// inspection did not end.
func Inspect(ctx context.Context, cfg Config, walks []Walk, report func(Finding), schemas ...Schema) (Summary, error) {
	return inspect(ctx, cfg, nil, walks, report, schemas)
}

// inspect is Inspect, of a database that must be at a place unless that is nil.
func inspect(ctx context.Context, cfg Config, want *place, walks []Walk, report func(Finding), schemas []Schema) (summary Summary, err error) {
	if err := checkPlaced(walks, schemas); err != nil {
		return Summary{}, err
	}
	p, err := cfg.pool()
	if err != nil {
		return Summary{}, err
	}
	conn := p.ConnConfig
	conn.ValidateConnect = nil
	delete(conn.RuntimeParams, "statement_timeout")
	conn.RuntimeParams["default_transaction_read_only"] = "on"
	// Other tables than the one asked about are looked into by keys: these joins would
	// read all of them for each range.
	conn.RuntimeParams["enable_hashjoin"], conn.RuntimeParams["enable_mergejoin"] = "off", "off"
	i := &inspection{config: conn, summary: &summary, report: report}
	defer i.close(context.WithoutCancel(ctx))
	for _, s := range schemas {
		if err := i.ask(ctx, func() error { return i.version(ctx, s) }); err != nil {
			return Summary{}, err
		}
	}
	var at place
	err = i.ask(ctx, func() (err error) {
		at, err = i.place(ctx)
		return err
	})
	if err == nil && want != nil {
		err = want.is(at)
	}
	if err != nil {
		return Summary{}, err
	}
	for _, w := range walks {
		if at.count > 1 {
			var misplaced []Problem
			err := i.ask(ctx, func() (err error) {
				misplaced, err = i.misplaced(ctx, &w, schemas)
				return err
			})
			if err != nil {
				return Summary{}, err
			}
			w.Problems = slices.Concat(w.Problems, misplaced)
		}
		if err := i.walk(ctx, &w); err != nil {
			return Summary{}, err
		}
	}
	return summary, nil
}

type inspection struct {
	config  *pgx.ConnConfig
	conn    *pgx.Conn // nil before the first question
	there   bool      // there was a session
	summary *Summary
	report  func(Finding)
}

// ErrOwner: the login may not read the tables.
var ErrOwner = errors.New("postgres: only the owner of the tables can inspect them")

// fail makes an error of this package of one that a statement met.
func (i *inspection) fail(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	described := describe(judge(err, false).kind, err) // a question changes nothing
	if Code(described) == "42501" {
		return ErrOwner
	}
	return described
}

func (i *inspection) version(ctx context.Context, s Schema) error {
	var at int
	err := i.conn.QueryRow(ctx, "select coalesce(max(version), 0) from "+s.Name+".migration").Scan(&at)
	if err != nil {
		if err := i.fail(ctx, err); Code(err) != "42P01" && Code(err) != "3F000" {
			return err
		}
		return fmt.Errorf("%w: %s is not set up", ErrVersion, s.Name)
	}
	if at != len(s.migrations()) {
		return fmt.Errorf("%w: %s is at %d, this program needs %d", ErrVersion, s.Name, at, len(s.migrations()))
	}
	return nil
}

func (i *inspection) walk(ctx context.Context, w *Walk) error {
	first := len(i.summary.Tallies)
	for _, t := range w.Kinds {
		i.summary.Tallies = append(i.summary.Tallies, Tally{Kind: t.Name})
	}
	var after *string
	for {
		var upto *string
		err := i.ask(ctx, func() (err error) {
			upto, err = i.bound(ctx, w, after)
			return err
		})
		if err == nil {
			err = i.ask(ctx, func() error { return i.look(ctx, w, after, upto, i.summary.Tallies[first:]) })
		}
		if err != nil {
			return err
		}
		if upto == nil {
			return nil
		}
		after = upto
	}
}

// ask asks a question, and once more, a few times, if a standby has not answered it as
// it stood in the way of what it replays. Where the question had not come in whole, the
// standby ends the session too, and what it says of that may be lost with it.
func (i *inspection) ask(ctx context.Context, question func() error) error {
	lost := 0
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err := i.connect(ctx)
		if err == nil {
			err = question()
		}
		again := errors.Is(err, ErrBusy)
		if errors.Is(err, ErrUnavailable) && i.there {
			lost++
			again = lost <= maxLost
		}
		if pause > 10*time.Second || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// maxLost is how many sessions a question may lose.
const maxLost = 4

// connect connects unless there is a session.
func (i *inspection) connect(ctx context.Context) (err error) {
	if i.conn != nil && !i.conn.IsClosed() {
		return nil
	}
	if i.conn, err = pgx.ConnectConfig(ctx, i.config); err != nil {
		return i.fail(ctx, err)
	}
	i.there = true
	return nil
}

func (i *inspection) close(ctx context.Context) {
	if i.conn != nil {
		i.conn.Close(ctx)
	}
}

// bound returns the last key of the range after a key, as text, or nil for the last
// range.
func (i *inspection) bound(ctx context.Context, w *Walk, after *string) (*string, error) {
	if w.Anchor == "" {
		return nil, nil
	}
	sql, args := w.within("select "+w.Key+"::text from "+w.Anchor+" where @("+w.Key+") order by "+w.Key+fmt.Sprintf(" offset %d limit 1", w.Each-1), after, nil)
	var upto string
	err := i.conn.QueryRow(ctx, sql, args...).Scan(&upto)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, i.fail(ctx, err)
	}
	return &upto, nil
}

// within puts the conditions of a range in.
func (w *Walk) within(sql string, after, upto *string) (string, []any) {
	var args []any
	condition := "true"
	for _, end := range []struct {
		key      *string
		operator string
	}{{after, ">"}, {upto, "<="}} {
		if end.key != nil {
			args = append(args, *end.key)
			condition += fmt.Sprintf(" and COLUMN %s $%d::text::%s", end.operator, len(args), w.Type)
		}
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(sql, "@(")
		b.WriteString(before)
		if !found {
			return b.String(), args
		}
		column, rest, _ := strings.Cut(rest, ")")
		b.WriteString("(" + strings.ReplaceAll(condition, "COLUMN", column) + ")")
		sql = rest
	}
}

// look asks all questions about a range.
func (i *inspection) look(ctx context.Context, w *Walk, after, upto *string, tallies []Tally) error {
	var parts []string
	for n, t := range w.Kinds {
		parts = append(parts, fmt.Sprintf("select %d, count(*), coalesce(sum(%s), 0)::bigint from %s where @(%s)", n, t.Octets, t.From, t.Key))
	}
	for n, p := range w.Problems {
		parts = append(parts, fmt.Sprintf("select %d, count(*), 0 from (%s) p%d", len(w.Kinds)+n, p.Rows, n))
	}
	sql, args := w.within(strings.Join(parts, "\nunion all "), after, upto)
	rows, err := i.conn.Query(ctx, sql, args...)
	if err != nil {
		return i.fail(ctx, err)
	}
	defer rows.Close()
	// Only a whole answer counts.
	counted, found := make([]Tally, len(tallies)), make([]uint64, len(w.Problems))
	for rows.Next() {
		var n int
		var count, octets uint64
		if err := rows.Scan(&n, &count, &octets); err != nil {
			return i.fail(ctx, err)
		}
		if n < len(tallies) {
			counted[n] = Tally{Records: count, Octets: octets}
		} else {
			found[n-len(tallies)] = count
		}
	}
	if err := rows.Err(); err != nil {
		return i.fail(ctx, err)
	}
	for n, c := range counted {
		tallies[n].Records += c.Records
		tallies[n].Octets += c.Octets
	}
	for n, count := range found { // in the order of the driver
		if count == 0 {
			continue
		}
		i.summary.Findings++
		if i.report != nil {
			i.report(Finding{Kind: w.Problems[n].Kind, Problem: w.Problems[n].Text, Count: count})
		}
	}
	return nil
}
