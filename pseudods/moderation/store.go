package moderation

import (
	"context"
	"errors"
)

// The outcomes of a [Store]'s methods other than success.
var (
	// ErrKnown: there is, or was, a case of that name.
	ErrKnown = errors.New("moderation: the case is known")
	// ErrFull: as many cases are open as may be.
	ErrFull = errors.New("moderation: too many open cases")
	// ErrNoCase: there is no case of that name.
	ErrNoCase = errors.New("moderation: no such case")
	// ErrDecided: the case was decided otherwise, which stands.
	ErrDecided = errors.New("moderation: the case was decided otherwise")
)

// MaxList is how many rows a [Store] lists at a time.
const MaxList = 64

// Store keeps cases. Implementations must be safe for concurrent use, and every
// method but the lists touches the partition of one case alone; the number of open
// cases may be known approximately. What a method that succeeded has written
// survives any crash. After any error but those of this package it may or may not
// be written, and repeating the call is safe.
type Store interface {
	// Add keeps an open case. It fails with [ErrKnown], also for a case that was
	// decided, and with [ErrFull] if there are most open cases already.
	Add(ctx context.Context, id CaseID, c *Case, most int) error
	// Look returns a case, or for one that is not open its decision and nil. It
	// fails with [ErrNoCase].
	Look(ctx context.Context, id CaseID) (*Case, Outcome, error)
	// Decide decides a case: of an open one it keeps the decision alone, and
	// verdict until Sent, if that is not nil. A case that was so decided stays as it
	// is. It fails with [ErrNoCase] and [ErrDecided].
	Decide(ctx context.Context, id CaseID, o Outcome, verdict []byte) error
	// Sent forgets the verdict of a case. One that has none is no error.
	Sent(ctx context.Context, id CaseID) error
	// OpenCases returns open cases in the order of their names from the first that
	// is not less than from, at most [MaxList]. More is false if no more follow.
	OpenCases(ctx context.Context, from CaseID) (list []Listed, more bool, err error)
	// Verdicts returns verdicts that are to be sent, as OpenCases does cases.
	Verdicts(ctx context.Context, from CaseID) (list []Outgoing, more bool, err error)
	// Waiting returns how many cases are open.
	Waiting(ctx context.Context) (int, error)
}

// Listed is an open case with its name.
type Listed struct {
	ID CaseID
	Case
}

// Outgoing is a verdict that is to be sent, sealed, with the name of its case.
type Outgoing struct {
	ID      CaseID
	Verdict []byte
}

// next returns the name after id, and false after the last one.
func (id CaseID) next() (CaseID, bool) {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			return id, true
		}
	}
	return id, false
}
