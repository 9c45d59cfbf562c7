// Package allowances keeps what an attester accounts for in PostgreSQL: it
// implements [attester.Store].
//
// A charge is one call: counter, reply and standing become durable together. The
// row of the slot is where charges of an account meet. Charges of an epoch are LIST
// partitions, made with the first of them and dropped with the epoch; a row for each
// epoch stays, so that a dropped one takes no more.
//
// Several processes may share the database. Whoever controls it can at most do what
// the interface says of any such store.
package allowances

import (
	"context"
	"embed"
	"math"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/storage/postgres"
)

//go:embed migrations
var files embed.FS

// Schema is the schema of the databases that [New] takes.
var Schema = postgres.Schema{Name: "allowances", Migrations: files, Routing: routing}

// Store is an [attester.Store] on a database.
type Store struct{ db *postgres.DB }

var _ attester.Store = (*Store)(nil)

// New returns the store on a database opened with [Schema]. The caller closes
// the database.
func New(db *postgres.DB) *Store { return &Store{db} }

// number is an epoch as the database has it.
func number(e attester.Epoch) int64 { return int64(min(uint64(e), math.MaxInt64)) }

// Look implements [attester.Store].
func (s *Store) Look(ctx context.Context, account attester.Account, slot attester.Slot, request attester.Digest) (attester.View, error) {
	var v attester.View
	cut := &v.Standing.Cut
	err := s.db.Read(ctx, "select * from allowances.look($1, $2, $3, $4)", []any{account[:], number(slot.Epoch), []byte(slot.Class), request[:]},
		postgres.One(&v.Standing.Seen, &v.Standing.First, &cut.Percent, &cut.From, &cut.Full, &cut.Until, &cut.Strikes, &cut.Last, &v.Spent, &v.Reply))
	if err != nil {
		return attester.View{}, err
	}
	return v, nil
}

// Charge implements [attester.Store].
func (s *Store) Charge(ctx context.Context, account attester.Account, c attester.Charge) ([]byte, error) {
	var verdict string
	var reply []byte
	err := s.db.Write(ctx, "select * from allowances.charge($1, $2, $3, $4, $5, $6, $7, $8)",
		[]any{account[:], number(c.Slot.Epoch), []byte(c.Slot.Class), c.Request[:], c.Tokens, int64(c.Limit), c.Reply, c.Once},
		postgres.One(&verdict, &reply))
	switch {
	case err != nil:
		return nil, err
	case verdict == "past":
		return nil, attester.ErrPast
	case verdict == "exhausted":
		return nil, attester.ErrExhausted
	case verdict != "charged" || reply == nil:
		return nil, postgres.ErrRefused
	}
	return reply, nil
}

// Reduce implements [attester.Store]. The cut is looked at, and replaced if it is the
// same still; each time round another reduction of the account has won.
func (s *Store) Reduce(ctx context.Context, account attester.Account, r *attester.Reduction, now attester.Epoch) error {
	var id []byte
	if r.Verdict() {
		id = r.ID[:]
	}
	for {
		v, err := s.Look(ctx, account, attester.Slot{}, attester.Digest{})
		if err != nil {
			return err
		}
		was := v.Standing.Cut
		var outcome string
		err = s.db.Write(ctx, "select allowances.reduce($1, $2, $3, $4, $5)",
			[]any{account[:], id, number(r.Expires), numbers(was), numbers(r.Apply(was, now))}, postgres.One(&outcome))
		switch {
		case err != nil:
			return err
		case outcome == "past":
			return attester.ErrPast
		case outcome == "repeated":
			return attester.ErrRepeated
		case outcome == "reduced":
			return nil
		case outcome != "changed":
			return postgres.ErrRefused
		}
	}
}

// numbers is a cut as the database has it.
func numbers(c attester.Cut) []int64 {
	return []int64{int64(c.Percent), number(c.From), number(c.Full), number(c.Until), int64(c.Strikes), number(c.Last)}
}

// DropBefore implements [attester.Store]. An epoch is ended first, so that nothing
// is charged to it while or after its charges go; a crash in between leaves work that
// the next call finds.
func (s *Store) DropBefore(ctx context.Context, epoch attester.Epoch) error {
	var epochs []int64
	err := s.db.Read(ctx, "select * from allowances.epochs_before($1)", []any{number(epoch)}, func(r postgres.Rows) error {
		epochs = nil
		for r.Next() {
			var e int64
			if err := r.Scan(&e); err != nil {
				return err
			}
			epochs = append(epochs, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range epochs {
		for _, call := range []string{"select allowances.end_epoch($1)", "select allowances.drop_epoch($1)"} {
			if err := s.db.Write(ctx, call, []any{e}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
