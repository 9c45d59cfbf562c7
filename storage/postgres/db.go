package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is a role's open database. It may be used concurrently.
type DB struct {
	pool    *pgxpool.Pool
	timeout time.Duration
	writes  atomic.Int64 // calls of Write
	shards  int          // behind a router; 0 if this is none
}

// Open connects, checks that the database has these schemas in this program's
// versions, that it loses nothing, and that nothing is being moved into it
// ([ErrMoving]). It changes nothing.
func Open(ctx context.Context, cfg Config, schemas ...Schema) (*DB, error) {
	p, err := cfg.pool()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), p)
	if err != nil {
		return nil, describe(ErrUnavailable, err)
	}
	db := &DB{pool: pool, timeout: cfg.timeout()}
	if err := db.begin(ctx, cfg.Accept, schemas); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func (db *DB) begin(ctx context.Context, accept []Risk, schemas []Schema) error {
	for _, s := range schemas {
		if err := db.checkVersion(ctx, s); err != nil {
			return err
		}
	}
	if err := db.findShards(ctx); err != nil {
		return err
	}
	check := db.checkRisks
	if db.shards > 0 {
		check = db.checkShards
	}
	if err := check(ctx, accept, schemas); err != nil {
		return err
	}
	return db.checkMove(ctx, schemas)
}

// Timeout is how long a call may take with its repetitions.
func (db *DB) Timeout() time.Duration { return db.timeout }

// Close waits for calls under way and closes the connections.
func (db *DB) Close() error {
	db.pool.Close()
	return nil
}

// Ping returns nil if the database answers and takes writes.
func (db *DB) Ping(ctx context.Context) error {
	var standby bool
	err := db.Read(ctx, "select pg_is_in_recovery()", nil, One(&standby))
	if err == nil && standby {
		err = describe(ErrUnavailable, nil)
	}
	return err
}

// Stats are figures of the pool.
type Stats struct {
	// Open connections, those of them in use, and the most there may be.
	Open, Used, Max int
	// Waited is how many calls had to wait for a connection.
	Waited int64
}

// Stats returns the present figures.
func (db *DB) Stats() Stats {
	s := db.pool.Stat()
	return Stats{Open: int(s.TotalConns()), Used: int(s.AcquiredConns()), Max: int(s.MaxConns()), Waited: s.EmptyAcquireCount()}
}

// Rows are the rows of an answer, one after the other.
type Rows interface {
	Next() bool
	Scan(into ...any) error
}

// One returns what reads an answer of one row.
func One(into ...any) func(Rows) error {
	return func(r Rows) error {
		if !r.Next() {
			return fmt.Errorf("%w: no row", ErrRefused)
		}
		return r.Scan(into...)
	}
}

// Read calls a function that changes nothing. The call is repeated if the
// connection is lost: answer, which may be nil, is called for each attempt and
// begins anew each time.
func (db *DB) Read(ctx context.Context, sql string, args []any, answer func(Rows) error) error {
	return db.repeat(ctx, func(ctx context.Context) (bool, error) {
		_, err := db.call(ctx, ctx, sql, args, answer)
		return false, err // there is nothing that it could have changed
	})
}

// Write calls a function that changes something. When the answer is lost the
// call is repeated, so the function must give the same outcome then; answer is
// used as by Read. Only until it is sent does the context end a call.
func (db *DB) Write(ctx context.Context, sql string, args []any, answer func(Rows) error) error {
	defer db.writes.Add(1)
	return db.repeat(ctx, func(bounded context.Context) (bool, error) {
		return db.call(bounded, context.WithoutCancel(ctx), sql, args, answer)
	})
}

// IfSure makes an error for what a Write answers: err if every attempt was
// answered, and [ErrAmbiguous] if one was not, which may have succeeded. It is
// for functions whose refusal can come of their own success.
func IfSure(err error) error { return errIfSure{err} }

type errIfSure struct{ error }

// errStop carries an error of the caller's own through [DB.repeat].
type errStop struct{ error }

// repeat makes attempts until one succeeds, or none can, or the time is over.
func (db *DB) repeat(ctx context.Context, attempt func(context.Context) (sent bool, err error)) error {
	bounded, cancel := context.WithTimeout(ctx, db.timeout)
	defer cancel()
	ambiguous := false
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		if err := ctx.Err(); err != nil && !ambiguous {
			return err
		}
		sent, err := attempt(bounded)
		if err == nil {
			return nil
		}
		var stop errStop
		if errors.As(err, &stop) {
			return stop.settle(ambiguous)
		}
		v := db.judge(err, sent)
		ambiguous = ambiguous || v.kind == ErrAmbiguous
		select {
		case <-bounded.Done():
			v.again = false
		default:
		}
		if v.again {
			select {
			case <-time.After(pause):
				continue
			case <-bounded.Done():
			}
		}
		switch {
		case ambiguous:
			return describe(ErrAmbiguous, err)
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			return describe(v.kind, err)
		}
	}
}

func (s errStop) settle(ambiguous bool) error {
	var sure errIfSure
	switch {
	case !errors.As(s.error, &sure):
		return s.error
	case ambiguous:
		return ErrAmbiguous
	default:
		return sure.error
	}
}

// call runs one statement. Waiting for a connection is bounded by acquire, and
// the statement, by run and the time that a call may take.
func (db *DB) call(acquire, run context.Context, sql string, args []any, answer func(Rows) error) (sent bool, err error) {
	conn, err := db.pool.Acquire(acquire)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	if err := acquire.Err(); err != nil {
		return false, err
	}
	run, cancel := context.WithTimeout(run, db.timeout)
	defer cancel()
	rows, err := conn.Query(run, sql, args...)
	if err != nil {
		return true, err
	}
	defer rows.Close()
	var own error
	if answer != nil {
		own = answer(rows)
	}
	if rows.Close(); rows.Err() != nil {
		return true, rows.Err()
	}
	if own != nil {
		return true, errStop{own}
	}
	return true, unreplicated(conn.Conn().PgConn())
}

// unreplicatedKey marks a connection on which the server told that a commit was
// not waited for.
const unreplicatedKey = "unreplicated"

// noteUnreplicated: a server that is told to cancel while it waits for its
// standby warns, and then reports success. No function here warns of anything.
func noteUnreplicated(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" && n.Code == "01000" {
		conn.CustomData()[unreplicatedKey] = true
	}
}

var errUnreplicated = fmt.Errorf("%w: not replicated", ErrAmbiguous)

func unreplicated(conn *pgconn.PgConn) error {
	if conn.CustomData()[unreplicatedKey] == nil {
		return nil
	}
	delete(conn.CustomData(), unreplicatedKey)
	return errUnreplicated
}
