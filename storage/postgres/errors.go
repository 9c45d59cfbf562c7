package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The errors of this package. Except after [ErrAmbiguous], a call that got one
// of them has changed nothing.
var (
	// ErrUnavailable: there was no connection, or the server takes no writes now.
	ErrUnavailable = errors.New("postgres: unavailable")
	// ErrBusy: others were in the way, again and again.
	ErrBusy = errors.New("postgres: too many conflicts")
	// ErrAmbiguous: the connection was lost before the answer came.
	ErrAmbiguous = errors.New("postgres: outcome unknown")
	// ErrRefused: the server refused the statement: a function is missing, or the
	// user may not call it, or it failed.
	ErrRefused = errors.New("postgres: statement refused")
	// ErrVersion: a schema is missing, or older or newer than this program's.
	ErrVersion = errors.New("postgres: schema of another version")
	// ErrConfig: the configuration cannot be used.
	ErrConfig = errors.New("postgres: invalid configuration")
)

// verdict says what an error means for the call that met it.
type verdict struct {
	kind error // one of the errors above
	// again: the call may succeed when it is repeated at once.
	again bool
}

// judge classifies an error of a call whose statement was, or was not yet, sent.
//
// A server that answers with an ERROR has undone the statement. FATAL ends the
// session, also while a commit that is already on the disk waits for its standby,
// so that nothing is known then, nor when the connection just ends.
func judge(err error, sent bool) verdict {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		undone := !sent || pg.SeverityUnlocalized == "ERROR" || pg.SeverityUnlocalized == "" && pg.Severity == "ERROR"
		switch class := pg.Code[:min(2, len(pg.Code))]; {
		case !undone:
			return verdict{ErrAmbiguous, true}
		case class == "40": // serialization failure, deadlock
			return verdict{ErrBusy, true}
		case pg.Code == "55P03", pg.Code == "57014": // lock or statement timeout
			return verdict{ErrBusy, false}
		case class == "53", class == "57", class == "08", class == "58", pg.Code == "25006": // resources, shutdown, connection, system, standby
			return verdict{ErrUnavailable, true}
		default:
			return verdict{ErrRefused, false}
		}
	}
	if !sent || pgconn.SafeToRetry(err) {
		return verdict{ErrUnavailable, true}
	}
	return verdict{ErrAmbiguous, true}
}

// judge is [judge] for a call that may have gone through a router. That passes on a
// shard's refusals, but tells everything else as an ERROR of its own: that a shard
// ended the session, or was lost before it answered. And others may have done their
// part.
func (db *DB) judge(err error, sent bool) verdict {
	v := judge(err, sent)
	var pg *pgconn.PgError
	if db.shards == 0 || !errors.As(err, &pg) {
		return v
	}
	if class := pg.Code[:min(2, len(pg.Code))]; class == "XX" {
		v = verdict{ErrUnavailable, true}
	}
	if sent && v.kind != ErrRefused {
		v.kind = ErrAmbiguous
	}
	return v
}

// Code returns the SQLSTATE of a refusal, or "".
func Code(err error) string {
	var r *refusal
	if errors.As(err, &r) {
		return r.code
	}
	return ""
}

// refusal is an error of this package with what the log may say of its cause. A
// server's message can quote values of the statement: it stays out.
type refusal struct {
	kind error
	code string
	note string
}

func (r *refusal) Error() string {
	var b strings.Builder
	b.WriteString(r.kind.Error())
	if r.code != "" {
		fmt.Fprintf(&b, " (SQLSTATE %s)", r.code)
	}
	if r.note != "" {
		b.WriteString(": " + r.note)
	}
	return b.String()
}

func (r *refusal) Unwrap() error { return r.kind }

// describe makes an error of this package of one that a call met.
func describe(kind, cause error) error {
	r := &refusal{kind: kind}
	var pg *pgconn.PgError
	switch {
	case errors.As(cause, &pg):
		r.code = pg.Code
	case errors.Is(cause, context.DeadlineExceeded):
		r.note = "timeout"
	}
	return r
}
