package account

import (
	"errors"
	"time"
)

// The errors of this package, beside [wire.Error] for what a service refused and
// [httpapi.ErrTransport] for what it did not answer. No text names anybody.
var (
	// ErrConfig: the configuration is incomplete or wrong.
	ErrConfig = errors.New("account: invalid configuration")
	// ErrExists: the vault has an account already.
	ErrExists = errors.New("account: the vault has an account")
	// ErrNoAccount: the vault has none.
	ErrNoAccount = errors.New("account: the vault has no account")
	// ErrRecord: a record of the vault does not decode.
	ErrRecord = errors.New("account: malformed record")
	// ErrName: a name that cannot be shown: not 1 to 128 octets of printable UTF-8
	// without a space at either end.
	ErrName = errors.New("account: invalid name")
	// ErrProvider: a provider has no usable document, or lacks a service.
	ErrProvider = errors.New("account: no usable provider document")
	// ErrService: a service answered what no service answers.
	ErrService = errors.New("account: malformed answer")
	// ErrUncertain: a request was sent and not answered, so that it may have been
	// carried out. See [UncertainError].
	ErrUncertain = errors.New("account: no answer, the outcome is not known")
	// ErrNoTokens: tokens for what the operation costs are not to be had.
	ErrNoTokens = errors.New("account: no tokens to pay with")
	// ErrReplaced: another reader took over the queue.
	ErrReplaced = errors.New("account: another reader took over the queue")
	// ErrUnknownAddress: an entry came by an address that this account does not
	// know, or for which it has no secret.
	ErrUnknownAddress = errors.New("account: unknown address")
	// ErrEntry: an entry that does not open, or holds what does not belong there.
	ErrEntry = errors.New("account: entry does not open")
	// ErrGone: the payload of an entry has expired.
	ErrGone = errors.New("account: payload is gone")
	// ErrIdentityChanged: a known name with another key. Either its owner made a
	// new identity, or somebody else uses the name.
	ErrIdentityChanged = errors.New("account: another key for a known name")
	// ErrNoContact: there is no contact of that name, or in no state for this.
	ErrNoContact = errors.New("account: no such contact")
	// ErrBlocked: the contact is blocked.
	ErrBlocked = errors.New("account: contact is blocked")
	// ErrOwnCard: the card is the user's own.
	ErrOwnCard = errors.New("account: own contact card")
	// ErrCard: a contact card is malformed, or its signature is not good.
	ErrCard = errors.New("account: invalid contact card")
	// ErrOffer: an offer is not signed by the holder of the card in it, or is out
	// of bounds.
	ErrOffer = errors.New("account: invalid offer of contact")
	// ErrTooManyAsked: an offer came while [MaxAsked] others wait for an answer. It
	// is dropped.
	ErrTooManyAsked = errors.New("account: too many offers wait for an answer")
	// ErrGreeting: a greeting is longer than [MaxGreeting].
	ErrGreeting = errors.New("account: greeting too long")
	// ErrNoKeyPackage: a KeyPackage of one's own that is not, or no more, in the
	// vault, or was not made by [Account.NewKeyPackage].
	ErrNoKeyPackage = errors.New("account: no such KeyPackage")
	// ErrKeyPackage: a KeyPackage that was fetched is not the contact's, or nobody
	// could use it.
	ErrKeyPackage = errors.New("account: invalid KeyPackage")
	// ErrSeq: an acknowledgement of what [Account.Receive] has not returned.
	ErrSeq = errors.New("account: acknowledgement out of order")
	// ErrLink: a link code is malformed, or was used, or is too old.
	ErrLink = errors.New("account: invalid or used link code")
	// ErrNoDevice: the user has no other client of that name.
	ErrNoDevice = errors.New("account: no such device")
	// ErrTooManyDevices: the user has [MaxDevices] other clients.
	ErrTooManyDevices = errors.New("account: too many devices")
	// ErrTooManyNotes: too much waits to be sent to another client of the user, or it
	// is longer than [MaxNote].
	ErrTooManyNotes = errors.New("account: too much for another device")
	// ErrClosed: the account is closed.
	ErrClosed = errors.New("account: closed")
)

// UncertainError says until when a request may still be carried out: what a
// service says of its outcome is final only afterwards. It wraps [ErrUncertain].
type UncertainError struct {
	Until time.Time
	Err   error // why there was no answer
}

func (e *UncertainError) Error() string { return ErrUncertain.Error() }

// Unwrap returns [ErrUncertain] and the reason.
func (e *UncertainError) Unwrap() []error { return []error{ErrUncertain, e.Err} }
