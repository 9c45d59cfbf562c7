// Package reports keeps reported cases in PostgreSQL: it implements
// [moderation.Store], for several processes.
//
// A case is one row, which stays when it is decided, so that the same report is
// taken once whoever takes it, and of contrary decisions one stands. How many are
// open is counted in a row beside them; of shards each counts its own, and is told what
// the others have before it takes a case. What a row had before a decision is in its page
// until autovacuum has been there, and in the log of the server for as long as that
// is kept.
package reports

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"math"
	"time"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/postgres"
)

//go:embed migrations
var files embed.FS

// Schema is the schema of the databases that [New] takes, beside
// [postgres.DutySchema].
var Schema = postgres.Schema{Name: "reports", Migrations: files, Routing: routing}

// Store is a [moderation.Store] on a database.
type Store struct {
	db     *postgres.DB
	duties *postgres.Duties
}

var _ moderation.Shared = (*Store)(nil)

// New returns the store on a database opened with [Schema] and
// [postgres.DutySchema]. The caller closes the database.
func New(db *postgres.DB) *Store { return &Store{db, postgres.NewDuties(db)} }

// Add implements [moderation.Store]. On shards most can be exceeded by the calls that
// are under way in all processes when it is reached, and a call fails while any shard
// is down.
func (s *Store) Add(ctx context.Context, id moderation.CaseID, c *moderation.Case, most int) error {
	var attempt [16]byte
	rand.Read(attempt[:])
	room := int64(most)
	if s.db.Shards() > 1 {
		var beside int64
		if err := s.db.Read(ctx, "select reports.waiting_beside($1)", []any{id[:]}, postgres.One(&beside)); err != nil {
			return err
		}
		room -= beside
	}
	sealed := c.Sealed
	if sealed == nil {
		sealed = []byte{} // nil would be NULL
	}
	return s.db.Write(ctx, "select reports.add($1, $2, $3, $4, $5, $6)",
		[]any{id[:], attempt[:], int64(c.Day), c.Commitment[:], sealed, room}, func(r postgres.Rows) error {
			var outcome string
			if err := postgres.One(&outcome)(r); err != nil {
				return err
			}
			switch outcome {
			case "added":
				return nil
			case "known": // or decided since, if an answer was lost
				return postgres.IfSure(moderation.ErrKnown)
			case "full":
				return moderation.ErrFull
			}
			return postgres.ErrRefused
		})
}

// errRow: a row that this package did not write that way.
var errRow = fmt.Errorf("%w: reports: unfit row", postgres.ErrRefused)

func caseOf(day int64, commitment, sealed []byte) (moderation.Case, error) {
	c := moderation.Case{Day: uint32(day), Sealed: sealed}
	if day < 0 || day > math.MaxUint32 || copy(c.Commitment[:], commitment) != len(commitment) || len(commitment) != len(c.Commitment) || sealed == nil {
		return moderation.Case{}, errRow
	}
	return c, nil
}

// Look implements [moderation.Store].
func (s *Store) Look(ctx context.Context, id moderation.CaseID) (found *moderation.Case, made moderation.Outcome, err error) {
	err = s.db.Read(ctx, "select * from reports.look($1)", []any{id[:]}, func(r postgres.Rows) error {
		found, made = nil, moderation.Outcome{}
		if !r.Next() {
			return moderation.ErrNoCase
		}
		var state, weight int16
		var day *int64
		var commitment, sealed []byte
		if err := r.Scan(&state, &weight, &day, &commitment, &sealed); err != nil {
			return err
		}
		if moderation.State(state) != moderation.Open {
			made = moderation.Outcome{State: moderation.State(state), Weight: attester.Weight(weight)}
			if !made.Valid() || int16(made.State) != state || int16(made.Weight) != weight {
				return errRow
			}
			return nil
		}
		if day == nil {
			return errRow
		}
		c, err := caseOf(*day, commitment, sealed)
		found = &c
		return err
	})
	if err != nil {
		return nil, moderation.Outcome{}, err
	}
	return found, made, nil
}

// Decide implements [moderation.Store].
func (s *Store) Decide(ctx context.Context, id moderation.CaseID, o moderation.Outcome, verdict []byte) error {
	var outcome string
	err := s.db.Write(ctx, "select reports.decide($1, $2, $3, $4)", []any{id[:], int16(o.State), int16(o.Weight), verdict}, postgres.One(&outcome))
	switch {
	case err != nil:
		return err
	case outcome == "decided":
		return nil
	case outcome == "otherwise":
		return moderation.ErrDecided
	case outcome == "none":
		return moderation.ErrNoCase
	}
	return postgres.ErrRefused
}

// Sent implements [moderation.Store].
func (s *Store) Sent(ctx context.Context, id moderation.CaseID) error {
	return s.db.Write(ctx, "select reports.sent($1)", []any{id[:]}, nil)
}

// caseID reads the name of a case in a row.
func caseID(b []byte) (id moderation.CaseID, err error) {
	if len(b) != len(id) {
		return id, errRow
	}
	return moderation.CaseID(b), nil
}

// OpenCases implements [moderation.Store].
func (s *Store) OpenCases(ctx context.Context, from moderation.CaseID) (list []moderation.Listed, more bool, err error) {
	err = s.db.Read(ctx, "select * from reports.open_cases($1, $2)", []any{from[:], moderation.MaxList + 1}, func(r postgres.Rows) error {
		list, more = nil, false
		for r.Next() {
			if len(list) == moderation.MaxList {
				more = true
				continue
			}
			var l moderation.Listed
			var day int64
			var id, commitment, sealed []byte
			err := r.Scan(&id, &day, &commitment, &sealed)
			if err == nil {
				l.ID, err = caseID(id)
			}
			if err == nil {
				l.Case, err = caseOf(day, commitment, sealed)
			}
			if err != nil {
				return err
			}
			list = append(list, l)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return list, more, nil
}

// Verdicts implements [moderation.Store].
func (s *Store) Verdicts(ctx context.Context, from moderation.CaseID) (list []moderation.Outgoing, more bool, err error) {
	err = s.db.Read(ctx, "select * from reports.verdicts($1, $2)", []any{from[:], moderation.MaxList + 1}, func(r postgres.Rows) error {
		list, more = nil, false
		for r.Next() {
			if len(list) == moderation.MaxList {
				more = true
				continue
			}
			var o moderation.Outgoing
			var id []byte
			err := r.Scan(&id, &o.Verdict)
			if err == nil {
				o.ID, err = caseID(id)
			}
			if err != nil {
				return err
			}
			list = append(list, o)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return list, more, nil
}

// Waiting implements [moderation.Store].
func (s *Store) Waiting(ctx context.Context) (n int, err error) {
	err = s.db.Read(ctx, "select reports.waiting()", nil, postgres.One(&n))
	return n, err
}

// Claim implements [moderation.Shared].
func (s *Store) Claim(ctx context.Context, d moderation.Duty, lease time.Duration) (bool, error) {
	return s.duties.Claim(ctx, string(d), lease)
}

// Leave implements [moderation.Shared].
func (s *Store) Leave(ctx context.Context, d moderation.Duty) error {
	return s.duties.Leave(ctx, string(d))
}
