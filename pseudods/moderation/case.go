package moderation

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/privacypass/attester"
)

// CaseID names a case. It follows from the report under a key of the docket, and
// says nothing to others.
type CaseID [16]byte

// String returns 32 hexadecimal digits.
func (id CaseID) String() string { return hex.EncodeToString(id[:]) }

// ErrCaseID: not the name of a case.
var ErrCaseID = errors.New("moderation: a case is named by 32 hexadecimal digits")

// ParseCaseID reads what [CaseID.String] returns. It fails with [ErrCaseID].
func ParseCaseID(s string) (id CaseID, err error) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(id) {
		return CaseID(b), nil
	}
	return id, ErrCaseID
}

// State is what has become of a case.
type State uint8

const (
	// Open: nobody has decided it.
	Open State = 1
	// Upheld: the report is right, and its verdict is or will be sent.
	Upheld State = 2
	// Dismissed: nothing follows.
	Dismissed State = 3
	// Expired: nobody decided it in time, and nothing follows.
	Expired State = 4
)

var stateNames = map[State]string{Open: "open", Upheld: "upheld", Dismissed: "dismissed", Expired: "expired"}

func (s State) String() string {
	if name, ok := stateNames[s]; ok {
		return name
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Outcome is a decision. Weight is that of an upheld case, and zero for others.
type Outcome struct {
	State  State
	Weight attester.Weight
}

func (o Outcome) String() string {
	if o.State == Upheld {
		return o.State.String() + " (" + o.Weight.String() + ")"
	}
	return o.State.String()
}

// Valid reports whether o is a decision.
func (o Outcome) Valid() bool {
	switch o.State {
	case Upheld:
		return o.Weight >= attester.Low && o.Weight <= attester.Severe
	case Dismissed, Expired:
		return o.Weight == 0
	}
	return false
}

// Case is a report that waits for a decision.
type Case struct {
	// Day is when it was taken, in days since the Unix epoch.
	Day uint32
	// Commitment is what the [Opening] of the report must fit, so that nobody is
	// accused who is not in the report.
	Commitment [32]byte
	// Sealed is the report, sealed to the moderation key.
	Sealed []byte
}
