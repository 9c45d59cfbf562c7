package httpapi

import (
	"net/http"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// MediaType is the type of requests and responses.
const MediaType = "application/octet-stream"

// Paths of the delivery service and the queue service. The first eight are those
// of draft-kohbrok-mimi-moh, all by POST: a GET with a body does not survive
// real HTTP stacks.
const (
	PathGroupOperation        = "/group_operation"
	PathWelcomeInfo           = "/welcome_information"
	PathExternalCommitInfo    = "/external_commit_information"
	PathVerificationKey       = "/verification_key"
	PathConnectionRequest     = "/connection_request"
	PathDeliverMessage        = "/deliver_message"
	PathConnectionKeyPackages = "/connection_key_packages"
	PathGroupKeyPackages      = "/group_key_packages"
	PathQueueOperation        = "/queue_operation"
	PathQueueRead             = "/queue_read"

	// PathQueueStream takes the same request as [PathQueueRead]. Its answer has no
	// end: responses as pages come, each after its length in 4 octets.
	PathQueueStream = "/queue_stream"

	// PathProvider is the provider document, by GET.
	PathProvider = "/.well-known/pseudods"
)

// PathOf returns the path that takes an operation, and "" for one that does not
// exist.
func PathOf(o wire.Operation) string {
	switch o {
	case wire.OpWelcomeInfo:
		return PathWelcomeInfo
	case wire.OpExternalCommitInfo:
		return PathExternalCommitInfo
	case wire.OpVerificationKey, wire.OpAddressKeys:
		return PathVerificationKey
	case wire.OpConnectionRequest:
		return PathConnectionRequest
	case wire.OpDeliver:
		return PathDeliverMessage
	case wire.OpConnectionPackages:
		return PathConnectionKeyPackages
	case wire.OpGroupPackages:
		return PathGroupKeyPackages
	case wire.OpReadQueue:
		return PathQueueRead
	}
	if o.IsQueue() {
		return PathQueueOperation
	}
	if o.IsGroup() {
		return PathGroupOperation
	}
	return ""
}

// StatusOf returns the HTTP status that goes with a refusal.
func StatusOf(c wire.Code) int {
	switch c {
	case wire.CodeMalformed, wire.CodeUnsupportedVersion, wire.CodeStale:
		return http.StatusBadRequest
	case wire.CodeTokenRequired, wire.CodeTokenInvalid, wire.CodeTokenSpent:
		return http.StatusUnauthorized // RFC 9577, Section 2.1
	case wire.CodeNotAllowed, wire.CodeNoConsent:
		return http.StatusForbidden
	case wire.CodeExhausted:
		return http.StatusNotFound
	case wire.CodeWrongEpoch, wire.CodeInvalidProposal, wire.CodePendingProposals, wire.CodeReplayed, wire.CodeReplaced:
		return http.StatusConflict
	case wire.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case wire.CodeWrongRecipient:
		return http.StatusMisdirectedRequest
	case wire.CodeRateLimited:
		return http.StatusTooManyRequests
	case wire.CodeFull:
		return http.StatusInsufficientStorage
	case wire.CodeInvalidReport:
		return http.StatusUnprocessableEntity
	case wire.CodeUnsupported:
		return http.StatusNotImplemented
	}
	return http.StatusInternalServerError
}
