package attester

import (
	"context"
	"errors"
)

// ErrExhausted: the charge would exceed the limit. Nothing was stored.
var ErrExhausted = errors.New("attester: allowance exhausted")

// ErrPast: the charges of the epoch were dropped, so that nobody knows what was
// issued in it. It comes of a clock that was set back.
var ErrPast = errors.New("attester: the epoch is over")

// Standing is what a store keeps about an account for good.
type Standing struct {
	// Seen reports whether the account was charged before, and First the epoch
	// of its first charge. An account charged only as [Charge.Once] is not Seen.
	Seen  bool
	First Epoch
	// Cut is the latest reduction; its epoch may have passed.
	Cut Cut
}

// Slot names one ration of an account: a class in an epoch.
type Slot struct {
	Class string
	Epoch Epoch
}

// Charge is one issuance, to be accounted for before its reply is released.
type Charge struct {
	Slot Slot
	// Request identifies the token request within the slot.
	Request Digest
	// Tokens is how many tokens Reply conveys, and Limit the most that the slot
	// may convey in all.
	Tokens, Limit int
	// Reply is stored with the charge and handed out again on repetition. It
	// must not be empty.
	Reply []byte
	// Once says that the account ends with the slot's epoch: no Standing is
	// created for it.
	Once bool
}

// View is an account seen from one slot and one request. If the request was
// charged before the call, the view holds its reply.
type View struct {
	Standing Standing
	// Spent is the number of tokens charged to the slot.
	Spent int
	// Reply is the stored reply of the request, nil if it was not charged.
	Reply []byte
}

// Store keeps accounts' standings and charges. Implementations must be safe for
// concurrent use, and every method but DropBefore touches the partition of one
// account alone.
//
// Whoever controls the store can at most: hand out or withhold tokens to accounts
// (by altering charges), see how many opaque accounts fetched how many tokens of
// which class in which epoch, and read blinded replies, which don't say what the
// tokens look like. Names of accounts need the naming key besides (see [Names]),
// and no token can be made without the issuer's keys.
type Store interface {
	// Look returns the account's view of the slot and request.
	Look(ctx context.Context, account Account, slot Slot, request Digest) (View, error)
	// Charge atomically and durably adds c to the account: if the slot holds the
	// request already, nothing changes and the stored reply is returned; if the
	// slot's sum would exceed c.Limit, nothing changes and the error is
	// [ErrExhausted]; if the epoch was dropped, nothing changes and the error is
	// [ErrPast]; otherwise c.Reply is stored and returned. A returned reply
	// survives any crash. After any other error the charge may or may not have
	// happened, and repeating it is safe.
	Charge(ctx context.Context, account Account, c Charge) ([]byte, error)
	// Reduce atomically and durably applies a reduction to the account's cut (see
	// [Reduction.Apply]). That of a verdict is remembered with the charges of its
	// epoch Expires: if the account has it, nothing changes and the error is
	// [ErrRepeated]; if the epoch was dropped, nothing changes and the error is
	// [ErrPast].
	Reduce(ctx context.Context, account Account, r *Reduction, now Epoch) error
	// DropBefore forgets the charges and verdicts of all epochs before the given
	// one. An epoch of which any were forgotten takes no more, durably; one that had none is
	// not affected, so that a clock that runs ahead for a while does not end epochs
	// to come. Standings stay. Concurrent calls that name later epochs must not
	// fail.
	DropBefore(ctx context.Context, epoch Epoch) error
}
