package ds

import (
	"context"
	"crypto/ed25519"
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// ReportID identifies a report by what it proves: the accused and the messages.
// Whoever reports the same again, in whichever words, makes a report of the same ID.
type ReportID [32]byte

// Report is what a member has proved about another. It does not say who reports.
type Report struct {
	ID    ReportID
	Group wire.GroupID
	// Client and User are the pseudonyms of the accused in the group.
	Client, User wire.Pseudonym
	// Domain is the provider of the accused, as its pseudonymous credential says.
	Domain string
	// Credential and Key are the real ones that the accused's identity link names;
	// Key has signed the pseudonyms and the key that signed the messages.
	Credential mls.Credential
	Key        ed25519.PublicKey
	// Reason and Note are the reporter's words, and prove nothing.
	Reason   uint8
	Note     []byte
	Messages []ReportedMessage
}

// ReportedMessage is a message that the accused has sent to the group.
type ReportedMessage struct {
	Content []byte
	// Day is when the service took it, in days since the Unix epoch.
	Day uint64
}

var (
	// ErrReported: the accused was reported for these messages before.
	ErrReported = errors.New("ds: reported already")
	// ErrReportsFull: too many reports wait for a decision, or this one is too
	// large to be kept.
	ErrReportsFull = errors.New("ds: no room for a report")
)

// Reports takes reports that the service has verified, for somebody to decide.
type Reports interface {
	// Take keeps a report durably. It fails with [ErrReported] if it has, or once
	// had, one of the same ID, and with [ErrReportsFull].
	Take(ctx context.Context, r *Report) error
}
