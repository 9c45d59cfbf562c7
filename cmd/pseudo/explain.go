package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/client/wallet"
	issuers "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// sentence says what an error means and what to do.
type sentence struct {
	err  error
	text string
}

// sentences are searched in order: the first that matches counts.
var sentences = []sentence{
	{context.Canceled, "interrupted"},
	{errNoInvite, "the server gives tokens for an invite code only: name a file that holds it with -invite"},
	{errNoInvites, "the server takes no invite codes: leave out -invite, or see `pseudo tokens -h`"},
	{errNoAccount, "there is no account here: make one with `pseudo init NAME -server URL`, or name its directory with -state"},

	{client.ErrNotMember, "you are not a member of this group"},
	{client.ErrNoGroup, "there is no such group: `pseudo group list` shows yours"},
	{client.ErrNoMember, "there is no such member, or more than one: `pseudo group members` shows them"},
	{client.ErrNoDevice, "you have no other device of that name, or several: `pseudo device list` shows them"},
	{client.ErrOutbox, "too many texts wait to be sent; try again when the server takes them"},
	{client.ErrLost, "you cannot follow this group any more: come back with `pseudo group rejoin`"},
	{client.ErrBusy, "others keep changing this group; try again"},
	{client.ErrPending, "what became of your last change of this group is not yet known; try again in some minutes"},
	{client.ErrAccessAsked, "asked the members to let you in: run `pseudo group rejoin` again when one of them has been online"},
	{client.ErrNotAdmin, "only an admin of this group can do that"},
	{client.ErrLast, "you have to leave this group first"},

	{account.ErrExists, "there is an account here already"},
	{account.ErrNoAccount, "the account is not complete: run `pseudo init` again"},
	{account.ErrNoTokens, "the server gives you no tokens for that now: try again later, or see `pseudo tokens -h`"},
	{account.ErrReplaced, "another program reads your queue; only one can"},
	{account.ErrUnknownAddress, "a message came by an address that is not yours"},
	{account.ErrGone, "a message has expired"},
	{account.ErrIdentityChanged, "you know that name with another key: this is somebody else, or they have lost their state. Compare fingerprints; if it is them, take their new card with `pseudo trust`"},
	{account.ErrNoContact, "there is no such contact: `pseudo contacts` shows yours"},
	{account.ErrBlocked, "you have blocked this contact"},
	{account.ErrCard, "that is no contact card, or not the whole of one"},
	{account.ErrConfig, "this program was put together wrongly"},
	{account.ErrRecord, "the state is damaged, or of another version of this program"},
	{account.ErrName, "that name cannot be used: 1 to 128 octets that can be printed"},
	{account.ErrProvider, "the server of that domain cannot be used: it does not describe itself, or not what is needed"},
	{account.ErrService, "the server's answer makes no sense: it may be of another version"},
	{account.ErrEntry, "a message does not open"},
	{account.ErrOwnCard, "that is your own contact card"},
	{account.ErrTooManyAsked, "too many people wait for your answer, so that another's question was dropped: accept or block some"},
	{account.ErrOffer, "somebody's question for contact is not valid"},
	{account.ErrGreeting, "that greeting is too long"},
	{account.ErrNoKeyPackage, "an invitation came too late, or was used before"},
	{account.ErrLink, "that is no link code, or not the whole of one"},
	{account.ErrNoDevice, "that device was removed"},
	{account.ErrTooManyDevices, "you have too many devices: `pseudo device remove` one"},
	{account.ErrTooManyNotes, "too much waits for another device of yours: let it be online, or remove it"},
	{account.ErrSeq, "messages were handled out of order"},
	{account.ErrClosed, "the account was closed meanwhile"},
	{account.ErrKeyPackage, "what the server has of this contact is not theirs; ask them to run `pseudo maintain`, and be careful"},

	{vault.ErrVault, "the state does not open: the passphrase or the key file is not the right one, or files are damaged"},
	{vault.ErrInUse, "another process has the state; try again"},
	{vault.ErrNotFound, "the state lacks a file that must be there"},
	{vault.ErrTooLarge, "that is more than the state can hold"},
	{vault.ErrClosed, "the state was closed meanwhile"},

	{wallet.ErrEmpty, "there are not enough tokens: run `pseudo maintain`"},
	{wallet.ErrClass, "the server asks for tokens that it does not say where to get"},
	{wallet.ErrRefused, "the server refuses to give tokens: if it changed its keys, try again"},
	{wallet.ErrTooLarge, "there are too many unanswered requests; try again when the server answers"},
	{wallet.ErrSettled, "that was paid before"},
	{wallet.ErrInUse, "another process has the tokens; try again"},
	{wallet.ErrClosed, "the tokens were put away meanwhile"},
	{wallet.ErrFile, "the file with your tokens is damaged"},

	{httpapi.ErrProvider, "the server describes itself in a way that this program does not understand"},
	{context.DeadlineExceeded, "the server did not answer in time"},
	{account.ErrUncertain, "the server did not answer: whether it is done will show; try again"},
	{httpapi.ErrTransport, "the server cannot be reached"},
	{client.ErrNoEvidence, "you have nothing that they sent: the last messages of a group are kept, and can be reported"},
	{client.ErrNote, "the note is too long"},
	{client.ErrKept, "the text is kept, and sent later"},
}

// codes say what a service's refusals mean.
var codes = map[wire.Code]string{
	wire.CodeInternal:           "the server has a problem of its own; try again later",
	wire.CodeMalformed:          "the server does not understand this program: one of them may be too old",
	wire.CodeUnsupportedVersion: "the server speaks another version of the protocol: one of them is too old",
	wire.CodeWrongRecipient:     "the server at this URL is another one than it was",
	wire.CodeStale:              "the server finds the request too old: is this computer's clock right?",
	wire.CodeReplayed:           "the server saw this request before; try again",
	wire.CodeTooLarge:           "that is more than the server takes at once",
	wire.CodeNotAllowed:         "the server does not allow that: the group may be gone or you no longer in it, or its policy forbids it",
	wire.CodeWrongEpoch:         "the group has changed meanwhile; try again",
	wire.CodeInvalidProposal:    "the server finds this change not valid; try again",
	wire.CodePendingProposals:   "another change of this group comes first; try again",
	wire.CodeTokenRequired:      "the server wants tokens for that: run `pseudo maintain`",
	wire.CodeTokenInvalid:       "the server does not take the token; try again",
	wire.CodeTokenSpent:         "the server saw this token before; try again. If it goes on, this state may be a copy of another",
	wire.CodeExhausted:          "nothing is left by which they can be added: they have to be online, or run `pseudo maintain`",
	wire.CodeNoConsent:          "they do not take that from you",
	wire.CodeFull:               "something is full at the server; try again later",
	wire.CodeReplaced:           "another program reads your queue; only one can",
	wire.CodeInvalidReport:      "the server does not take that as proof: the messages may be too old to be reported",
	wire.CodeUnsupported:        "the server does not do that",
}

// about is an error that concerns one of several things.
type about struct {
	what string
	err  error
}

func (a *about) Error() string { return a.what + ": " + a.err.Error() }
func (a *about) Unwrap() error { return a.err }

// explain returns a sentence for people and the exit status.
func explain(err error) (text string, code int) {
	var other *reported
	if errors.As(err, &other) {
		return other.text, other.code
	}
	var one *about
	if errors.As(err, &one) {
		text, code = explain(one.err)
		return one.what + ": " + text, code
	}
	var refused *wire.Error
	if errors.As(err, &refused) {
		if refused.Code == wire.CodeRateLimited {
			return fmt.Sprintf("that is too much at once; try again in %d s", refused.RetryAfter), exitRefused
		}
		if refused.Code == wire.CodeUnsupportedVersion || refused.Code == wire.CodeUnsupported {
			return codes[refused.Code], exitUnsupported
		}
		return codes[refused.Code], exitRefused
	}
	var issuer *issuers.StatusError
	if errors.As(err, &issuer) {
		return explainIssuer(issuer), exitRefused
	}
	var where *url.Error
	if errors.As(err, &where) && !errors.Is(err, context.Canceled) && !errors.Is(err, account.ErrUncertain) {
		at := where.URL
		if u, err := url.Parse(at); err == nil {
			at = u.Scheme + "://" + u.Host
		}
		return at + " cannot be reached", exitRefused
	}
	for _, s := range sentences {
		if errors.Is(err, s.err) {
			return s.text, exitRefused
		}
	}
	return err.Error(), exitRefused
}

// explainText is explain for an error of which only the text is left.
func explainText(text string) string {
	for _, s := range sentences {
		if s.err.Error() == text {
			return s.text
		}
	}
	return shown(text)
}

// explainIssuer says why there are no tokens.
func explainIssuer(e *issuers.StatusError) string {
	switch {
	case e.Exhausted() && e.RetryAfter > 0:
		return fmt.Sprintf("you have had all the tokens that you get for now; try again in %s", e.RetryAfter)
	case e.Exhausted():
		return "your invite code has given all the tokens that it ever does: see `pseudo tokens -h`"
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return "the server does not take your invite code, or your proof of work"
	}
	return "the server gives no tokens now; try again later"
}
