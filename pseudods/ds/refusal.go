package ds

import (
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// refusal maps an error to what the client is told. What is not listed is the
// service's own failure, of which nothing is told.
func refusal(err error) *wire.Error {
	var refused *wire.Error
	if errors.As(err, &refused) {
		return refused
	}
	var wrongEpoch *epoch.WrongEpochError
	if errors.As(err, &wrongEpoch) {
		return &wire.Error{Code: wire.CodeWrongEpoch, Epoch: wrongEpoch.Current}
	}
	var unknown *publicgroup.UnknownProposalsError
	if errors.As(err, &unknown) {
		return &wire.Error{Code: wire.CodeInvalidProposal, Refs: unknown.Refs}
	}
	var uncovered *publicgroup.PendingProposalsError
	if errors.As(err, &uncovered) {
		return &wire.Error{Code: wire.CodePendingProposals, Refs: uncovered.Refs}
	}
	if errors.Is(err, errStore) {
		return &wire.Error{Code: wire.CodeInternal}
	}
	for _, m := range refusals {
		if errors.Is(err, m.err) {
			return &wire.Error{Code: m.code}
		}
	}
	return &wire.Error{Code: wire.CodeInternal}
}

var refusals = []struct {
	err  error
	code wire.Code
}{
	{wire.ErrVersion, wire.CodeUnsupportedVersion},
	{errTooLarge, wire.CodeTooLarge},
	{errProviders, wire.CodeFull},
	{errNoTag, wire.CodeMalformed},
	{errUnproved, wire.CodeInvalidReport},
	{ErrReportsFull, wire.CodeFull},
	{publicgroup.ErrTooLarge, wire.CodeTooLarge},
	{publicgroup.ErrTooManyMembers, wire.CodeFull},
	{publicgroup.ErrTooManyProposals, wire.CodeFull},
	{publicgroup.ErrSenderProposals, wire.CodeFull},
	{publicgroup.ErrPathWanted, wire.CodeFull},
	{tree.ErrFull, wire.CodeFull},
	{tree.ErrCensus, wire.CodeFull},
	{atrest.ErrKey, wire.CodeNotAllowed},
	{publicgroup.ErrNoGroup, wire.CodeNotAllowed},
	{publicgroup.ErrLeafRefused, wire.CodeNotAllowed},
	{wire.ErrCredential, wire.CodeNotAllowed},
	{publicgroup.ErrClosed, wire.CodeNotAllowed},
	{publicgroup.ErrNoGroupInfo, wire.CodeNotAllowed},
	{epoch.ErrUnknownSender, wire.CodeNotAllowed},
	{mls.ErrSignature, wire.CodeNotAllowed},
	{wire.ErrMalformed, wire.CodeMalformed},
	{epoch.ErrProposal, wire.CodeInvalidProposal},
	{epoch.ErrProposalList, wire.CodeInvalidProposal},
	{publicgroup.ErrKnownProposal, wire.CodeInvalidProposal},
	{publicgroup.ErrSecondSelfRemove, wire.CodeInvalidProposal},
	{publicgroup.ErrRepeatedProposal, wire.CodeInvalidProposal},
	{publicgroup.ErrLifetime, wire.CodeInvalidProposal},
	{epoch.ErrCommit, wire.CodeMalformed},
	{epoch.ErrWrongGroup, wire.CodeMalformed},
	{epoch.ErrTag, wire.CodeMalformed},
	{mls.ErrSender, wire.CodeMalformed},
	{mls.ErrUnsupportedSuite, wire.CodeMalformed},
	{mls.ErrLeafNode, wire.CodeMalformed},
	{mls.ErrKeyPackage, wire.CodeMalformed},
	{mls.ErrPublicKey, wire.CodeMalformed},
	{publicgroup.ErrWireFormat, wire.CodeMalformed},
	{publicgroup.ErrContentType, wire.CodeMalformed},
	{publicgroup.ErrGroupInfo, wire.CodeMalformed},
	{publicgroup.ErrWelcome, wire.CodeMalformed},
	{tree.ErrShape, wire.CodeMalformed},
	{tree.ErrUnmerged, wire.CodeMalformed},
	{tree.ErrParentHash, wire.CodeMalformed},
	{tree.ErrPathLength, wire.CodeMalformed},
	{tree.ErrPathCiphertexts, wire.CodeMalformed},
	{tree.ErrPathSource, wire.CodeMalformed},
	{tree.ErrDuplicateKey, wire.CodeInvalidProposal},
	{tree.ErrKeyReused, wire.CodeInvalidProposal},
	{tree.ErrUnsupported, wire.CodeInvalidProposal},
}
