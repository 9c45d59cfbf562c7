package protocol

import (
	"testing"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// operationNames and codeNames are the document's names of the code's numbers.
var operationNames = map[wire.Operation]string{
	wire.OpRequestGroupID:     "request_group_id",
	wire.OpCreateGroup:        "create_group",
	wire.OpDeleteGroup:        "delete_group",
	wire.OpAddUsers:           "add_users",
	wire.OpRemoveUsers:        "remove_users",
	wire.OpAddClients:         "add_clients",
	wire.OpRemoveClients:      "remove_clients",
	wire.OpUpdate:             "update",
	wire.OpSelfRemove:         "self_remove",
	wire.OpRejoin:             "rejoin",
	wire.OpExternalJoin:       "external_join",
	wire.OpReInit:             "reinit",
	wire.OpPropose:            "propose",
	wire.OpSendMessage:        "send_message",
	wire.OpTargetedMessage:    "targeted_message",
	wire.OpUpdateQueueAddress: "update_queue_address",
	wire.OpWelcomeInfo:        "welcome_info",
	wire.OpExternalCommitInfo: "external_commit_info",
	wire.OpVerificationKey:    "verification_key",
	wire.OpReportAbuse:        "report_abuse",
	wire.OpAccessRequest:      "access_request",
	wire.OpCommitOutcome:      "commit_outcome",
	wire.OpChangePolicy:       "change_policy",
	wire.OpCreateQueue:        "create_queue",
	wire.OpDeleteQueue:        "delete_queue",
	wire.OpReadQueue:          "read_queue",
	wire.OpAckQueue:           "ack_queue",
	wire.OpRevokeAddress:      "revoke_address",
	wire.OpConfigureQueue:     "configure_queue",
	wire.OpDeliver:            "deliver",
	wire.OpPublishKeyPackages: "publish_key_packages",
	wire.OpConnectionPackages: "connection_packages",
	wire.OpGroupPackages:      "group_packages",
	wire.OpConnectionRequest:  "connection_request",
	wire.OpAddressKeys:        "address_keys",
	wire.OpFetchPayloads:      "fetch_payloads",
	wire.OpAllowContact:       "allow_contact",
	wire.OpDeletePool:         "delete_pool",
}

var codeNames = map[wire.Code]string{
	wire.CodeInternal:           "internal",
	wire.CodeMalformed:          "malformed",
	wire.CodeUnsupportedVersion: "unsupported_version",
	wire.CodeWrongRecipient:     "wrong_recipient",
	wire.CodeStale:              "stale",
	wire.CodeReplayed:           "replayed",
	wire.CodeTooLarge:           "too_large",
	wire.CodeNotAllowed:         "not_allowed",
	wire.CodeWrongEpoch:         "wrong_epoch",
	wire.CodeInvalidProposal:    "invalid_proposal",
	wire.CodePendingProposals:   "pending_proposals",
	wire.CodeRateLimited:        "rate_limited",
	wire.CodeTokenRequired:      "token_required",
	wire.CodeTokenInvalid:       "token_invalid",
	wire.CodeTokenSpent:         "token_spent",
	wire.CodeExhausted:          "exhausted",
	wire.CodeNoConsent:          "no_consent",
	wire.CodeFull:               "full",
	wire.CodeReplaced:           "replaced",
	wire.CodeInvalidReport:      "invalid_report",
	wire.CodeUnsupported:        "unsupported",
}

// codeMeanings say what a code tells beyond its name.
var codeMeanings = map[wire.Code]string{
	wire.CodeInternal:           "the service failed; whether it acted is not known",
	wire.CodeMalformed:          "not of this protocol, or not what the operation takes",
	wire.CodeUnsupportedVersion: "a version that the service does not speak",
	wire.CodeWrongRecipient:     "recipient_domain is another's",
	wire.CodeStale:              "expired, or expires too far ahead",
	wire.CodeReplayed:           "another request had the nonce",
	wire.CodeTooLarge:           "over a size limit",
	wire.CodeNotAllowed:         "signature, key or policy does not allow it, or there is no such thing",
	wire.CodeWrongEpoch:         "the group has moved on, to `epoch`",
	wire.CodeInvalidProposal:    "a proposal is not valid; `refs` are those by reference",
	wire.CodePendingProposals:   "a commit must cover `refs` first",
	wire.CodeRateLimited:        "try again after `retry_after` seconds",
	wire.CodeTokenRequired:      "pay, as `challenges` say",
	wire.CodeTokenInvalid:       "a token does not verify, is for something else, or not wanted",
	wire.CodeTokenSpent:         "a token was spent on another request",
	wire.CodeExhausted:          "no KeyPackage is left, or none that the asker may have",
	wire.CodeNoConsent:          "the user does not want to be reached by this party",
	wire.CodeFull:               "a queue, group or store has reached its bound",
	wire.CodeReplaced:           "a newer reader of the queue took over",
	wire.CodeInvalidReport:      "a report of abuse does not prove what it says",
	wire.CodeUnsupported:        "the service does not do that",
}

// TestNumbersOfTheDocument: operations and codes have the names of the document
// for the numbers that they have in the code, and none is missing.
func TestNumbersOfTheDocument(t *testing.T) {
	l := readLanguage(t)
	same := func(of string, code map[uint64]string) {
		for n, name := range code {
			if l[of].names[n] != name {
				t.Errorf("%s %d is %q in the document, %q in the code", of, n, l[of].names[n], name)
			}
		}
		for n, name := range l[of].names {
			if code[n] != name {
				t.Errorf("%s %d is %q in the document, %q in the code", of, n, name, code[n])
			}
		}
	}
	ops, codes := map[uint64]string{}, map[uint64]string{}
	for op, name := range operationNames {
		ops[uint64(op)] = name
	}
	for code, name := range codeNames {
		codes[uint64(code)] = name
	}
	same("Operation", ops)
	same("Code", codes)
	for op := wire.Operation(0); op < 0x400; op++ {
		if (op.IsGroup() || op.IsQueue()) && operationNames[op] == "" && op != unused {
			t.Errorf("operation %#x has no name", uint16(op))
		}
	}
	for _, r := range exchanges(t) {
		if name := operationNames[r.op]; len(r.name) < len(name) || r.name[:len(name)] != name {
			t.Errorf("%q has the operation %s", r.name, name)
		}
	}
}

// unused is a number between others that means nothing.
const unused wire.Operation = 0x010C
