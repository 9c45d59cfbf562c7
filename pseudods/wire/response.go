package wire

import (
	"fmt"
	"strings"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// Code says why a request was refused.
type Code uint16

const (
	// CodeInternal: the service failed; whether it acted is not known.
	CodeInternal Code = 1
	// CodeMalformed: the request is not of this protocol.
	CodeMalformed Code = 2
	// CodeUnsupportedVersion: a version the service does not speak.
	CodeUnsupportedVersion Code = 3
	// CodeWrongRecipient: meant for another domain.
	CodeWrongRecipient Code = 4
	// CodeStale: expired, or expiring too far ahead.
	CodeStale Code = 5
	// CodeReplayed: the nonce was used by another request.
	CodeReplayed Code = 6
	// CodeTooLarge: over a size limit.
	CodeTooLarge Code = 7
	// CodeNotAllowed: the signature, key or policy does not allow it. What does
	// not exist, and what the group state key does not open, answers the same.
	CodeNotAllowed Code = 8
	// CodeWrongEpoch: the group has moved on; Epoch is the current one.
	CodeWrongEpoch Code = 9
	// CodeInvalidProposal: Refs names the proposals that are not valid, if any
	// was by reference.
	CodeInvalidProposal Code = 10
	// CodePendingProposals: a commit must cover the proposals in Refs first.
	CodePendingProposals Code = 11
	// CodeRateLimited: try again after RetryAfter.
	CodeRateLimited Code = 12
	// CodeTokenRequired: Challenges tell what to pay with.
	CodeTokenRequired Code = 13
	// CodeTokenInvalid: a token does not verify, or is for something else.
	CodeTokenInvalid Code = 14
	// CodeTokenSpent: a token was spent on another request.
	CodeTokenSpent Code = 15
	// CodeExhausted: no KeyPackages are left, or none that the asker may have.
	CodeExhausted Code = 16
	// CodeNoConsent: the user does not want to be reached by this party.
	CodeNoConsent Code = 17
	// CodeFull: a queue, group or store has reached its bound.
	CodeFull Code = 18
	// CodeReplaced: a newer reader of the queue took over.
	CodeReplaced Code = 19
	// CodeInvalidReport: a report of abuse does not prove what it says.
	CodeInvalidReport Code = 20
	// CodeUnsupported: the service does not do that.
	CodeUnsupported Code = 21

	lastCode = CodeUnsupported
)

// Error is a refusal. It implements error; its text never holds an identifier.
type Error struct {
	Code       Code
	Epoch      uint64            // for CodeWrongEpoch
	RetryAfter uint32            // seconds, for CodeRateLimited
	Refs       []mls.ProposalRef // for CodeInvalidProposal, CodePendingProposals
	Challenges []string          // for CodeTokenRequired: PrivateToken challenges of RFC 9577
}

func (e *Error) Error() string {
	switch e.Code {
	case CodeWrongEpoch:
		return fmt.Sprintf("wire: wrong epoch, the current one is %d", e.Epoch)
	case CodeRateLimited:
		return fmt.Sprintf("wire: rate limited for %d s", e.RetryAfter)
	}
	return fmt.Sprintf("wire: refused with code %d", e.Code)
}

// Is makes errors of the same code match, so that errors.Is(err,
// &Error{Code: c}) asks for the code alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// MarshalTLS encodes e.
func (e *Error) MarshalTLS(w *tlscodec.Writer) {
	if e.Code == 0 || e.Code > lastCode {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Uint16(uint16(e.Code))
	switch e.Code {
	case CodeWrongEpoch:
		w.Uint64(e.Epoch)
	case CodeRateLimited:
		w.Uint32(e.RetryAfter)
	case CodeInvalidProposal, CodePendingProposals:
		w.Vector(func(w *tlscodec.Writer) {
			for _, r := range e.Refs {
				w.Opaque(r)
			}
		})
	case CodeTokenRequired:
		w.Vector(func(w *tlscodec.Writer) {
			for _, c := range e.Challenges {
				w.Opaque([]byte(c))
			}
		})
	}
}

// UnmarshalTLS decodes e.
func (e *Error) UnmarshalTLS(d *tlscodec.Reader) {
	*e = Error{Code: Code(d.Uint16())}
	switch e.Code {
	case CodeWrongEpoch:
		e.Epoch = d.Uint64()
	case CodeRateLimited:
		e.RetryAfter = d.Uint32()
	case CodeInvalidProposal, CodePendingProposals:
		d.Vector(func(d *tlscodec.Reader) { e.Refs = append(e.Refs, d.Opaque()) })
	case CodeTokenRequired:
		d.Vector(func(d *tlscodec.Reader) {
			c := string(d.Opaque())
			if d.Err() == nil && strings.ContainsFunc(c, func(r rune) bool { return r < ' ' || r > '~' }) {
				d.Fail(fmt.Errorf("%w: challenge is not a header value", tlscodec.ErrValue))
			}
			e.Challenges = append(e.Challenges, c)
		})
	}
	if d.Err() == nil && (e.Code == 0 || e.Code > lastCode) {
		d.Fail(fmt.Errorf("%w: error code", tlscodec.ErrValue))
	}
}

// Response answers a [Request]: with a body that the operation defines, or with
// an [Error].
type Response struct {
	Body []byte
	Err  *Error
}

// MarshalTLS encodes r.
func (r *Response) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(Version1))
	w.Bool(r.Err != nil)
	if r.Err != nil {
		r.Err.MarshalTLS(w)
	} else {
		w.Opaque(r.Body)
	}
}

// UnmarshalTLS decodes r.
func (r *Response) UnmarshalTLS(d *tlscodec.Reader) {
	if v := Version(d.Uint16()); d.Err() == nil && v != Version1 {
		d.Fail(ErrVersion)
	}
	*r = Response{}
	if d.Bool() {
		r.Err = new(Error)
		r.Err.UnmarshalTLS(d)
	} else {
		r.Body = d.Opaque()
	}
}
