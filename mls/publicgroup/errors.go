package publicgroup

import (
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/mls"
)

// Errors of a store and of the calls' order.
var (
	// ErrNoGroup: the store holds no group.
	ErrNoGroup = errors.New("publicgroup: no group")
	// ErrStale: changes were made for another revision than the store holds.
	// Whoever gets it opens the group again and stages the message again.
	ErrStale = errors.New("publicgroup: stale base")
	// ErrReleased: a version of the tree that is no longer kept.
	ErrReleased = errors.New("publicgroup: version of the tree was released")
	// ErrInconsistent: the store lacks a record that the header tells of, or
	// returns one that it never got.
	ErrInconsistent = errors.New("publicgroup: store is inconsistent")
	// ErrConfig: a [Config] that makes no sense.
	ErrConfig = errors.New("publicgroup: invalid configuration")
)

// Errors of messages of any kind, beside those of packages mls and epoch.
var (
	// ErrTooLarge: a message, or the extensions in it, are longer than the
	// configuration allows.
	ErrTooLarge = errors.New("publicgroup: message too large")
	// ErrWireFormat: a message of another wire format than belongs here, such
	// as a handshake in a PrivateMessage.
	ErrWireFormat = errors.New("publicgroup: wire format")
	// ErrContentType: a commit where a proposal belongs, or the reverse.
	ErrContentType = errors.New("publicgroup: content type")
	// ErrClosed: the group was reinitialised and takes no more messages.
	ErrClosed = errors.New("publicgroup: group is closed by a ReInit")
	// ErrLifetime: a KeyPackage is not valid yet, not any more, or for longer
	// than allowed.
	ErrLifetime = errors.New("publicgroup: lifetime of a KeyPackage")
	// ErrLeafRefused: [Config.CheckLeaf] refused a leaf. It wraps that error.
	ErrLeafRefused = errors.New("publicgroup: leaf refused")
)

// Errors of a standalone proposal.
var (
	// ErrKnownProposal: the very same proposal is pending.
	ErrKnownProposal = errors.New("publicgroup: proposal is pending already")
	// ErrTooManyProposals: the epoch has as many proposals, or as many octets of
	// them, as it may.
	ErrTooManyProposals = errors.New("publicgroup: too many proposals in this epoch")
	// ErrSenderProposals: the sender has as many pending as it may.
	ErrSenderProposals = errors.New("publicgroup: too many proposals from this sender")
	// ErrSecondSelfRemove: the member already proposed to leave.
	ErrSecondSelfRemove = errors.New("publicgroup: second SelfRemove of a member")
)

// Errors of a commit.
var (
	// ErrExternalCommit: the policy allows no external commits.
	ErrExternalCommit = errors.New("publicgroup: external commits are not allowed")
	// ErrUnknownProposal: a commit names proposals that are not pending. The
	// error is an [*UnknownProposalsError].
	ErrUnknownProposal = errors.New("publicgroup: unknown proposal")
	// ErrRepeatedProposal: a commit names one proposal twice.
	ErrRepeatedProposal = errors.New("publicgroup: proposal named twice")
	// ErrPendingProposals: a commit leaves out proposals that it must cover.
	// The error is a [*PendingProposalsError].
	ErrPendingProposals = errors.New("publicgroup: pending proposals not covered")
	// ErrTooManyMembers: the group would be larger than allowed.
	ErrTooManyMembers = errors.New("publicgroup: too many members")
	// ErrPathWanted: too many members were added without a path.
	ErrPathWanted = errors.New("publicgroup: too many additions without a path")
)

// UnknownProposalsError names the proposals that a commit referred to and that
// are not pending.
type UnknownProposalsError struct{ Refs []mls.ProposalRef }

func (e *UnknownProposalsError) Error() string {
	return fmt.Sprintf("%v: %d of them", ErrUnknownProposal, len(e.Refs))
}

// Is makes the error match [ErrUnknownProposal].
func (e *UnknownProposalsError) Is(target error) bool { return target == ErrUnknownProposal }

// PendingProposalsError names the proposals that a commit must cover.
type PendingProposalsError struct{ Refs []mls.ProposalRef }

func (e *PendingProposalsError) Error() string {
	return fmt.Sprintf("%v: %d of them", ErrPendingProposals, len(e.Refs))
}

// Is makes the error match [ErrPendingProposals].
func (e *PendingProposalsError) Is(target error) bool { return target == ErrPendingProposals }

// Errors of a GroupInfo. All wrap [ErrGroupInfo].
var (
	ErrGroupInfo = errors.New("publicgroup: invalid GroupInfo")

	// ErrGroupInfoMissing: a commit came without one.
	ErrGroupInfoMissing = fmt.Errorf("%w: missing", ErrGroupInfo)
	// ErrGroupInfoTwice: a full and a partial one came together.
	ErrGroupInfoTwice = fmt.Errorf("%w: both full and partial", ErrGroupInfo)
	// ErrGroupInfoContext: its GroupContext is not the epoch's.
	ErrGroupInfoContext = fmt.Errorf("%w: another GroupContext", ErrGroupInfo)
	// ErrGroupInfoTag: its confirmation tag is not the commit's, or of a wrong
	// size.
	ErrGroupInfoTag = fmt.Errorf("%w: another confirmation tag", ErrGroupInfo)
	// ErrGroupInfoSigner: the signer is not whom it should be, or nobody.
	ErrGroupInfoSigner = fmt.Errorf("%w: signer", ErrGroupInfo)
	// ErrGroupInfoSignature: the signature does not verify.
	ErrGroupInfoSignature = fmt.Errorf("%w: %w", ErrGroupInfo, mls.ErrSignature)
	// ErrGroupInfoExtension: an extension stands twice, or does not belong in a
	// GroupInfo.
	ErrGroupInfoExtension = fmt.Errorf("%w: extension", ErrGroupInfo)
	// ErrExternalPub: external_pub is missing though external joins are
	// allowed, or malformed.
	ErrExternalPub = fmt.Errorf("%w: external_pub", ErrGroupInfo)
	// ErrInlineTree: the ratchet_tree extension is not the group's tree, or the
	// policy allows none.
	ErrInlineTree = fmt.Errorf("%w: ratchet_tree", ErrGroupInfo)
	// ErrTreePresence: a PartialGroupInfo is wrong about the ratchet_tree of the
	// epoch before.
	ErrTreePresence = fmt.Errorf("%w: presence of ratchet_tree", ErrGroupInfo)
	// ErrTreeHash: the tree that came with a GroupInfo has another hash.
	ErrTreeHash = fmt.Errorf("%w: another tree", ErrGroupInfo)
	// ErrNoTree: a group cannot be imported without its tree.
	ErrNoTree = fmt.Errorf("%w: no tree", ErrGroupInfo)
	// ErrTranscript: the confirmed transcript hash has a size that none can have
	// in this epoch.
	ErrTranscript = fmt.Errorf("%w: transcript hash", ErrGroupInfo)
	// ErrNotNew: a group to register is not at epoch 0 with one member.
	ErrNotNew = fmt.Errorf("%w: not a new group", ErrGroupInfo)
	// ErrNoGroupInfo: no GroupInfo of this epoch is known.
	ErrNoGroupInfo = errors.New("publicgroup: no GroupInfo for this epoch")
)

// Errors of a Welcome. All wrap [ErrWelcome].
var (
	ErrWelcome = errors.New("publicgroup: invalid Welcome")

	// ErrWelcomeMissing: a commit adds members and came without one.
	ErrWelcomeMissing = fmt.Errorf("%w: missing", ErrWelcome)
	// ErrWelcomeUnwanted: a commit adds nobody and came with one.
	ErrWelcomeUnwanted = fmt.Errorf("%w: nobody is added", ErrWelcome)
	// ErrWelcomeSuite: it has another cipher suite than the group.
	ErrWelcomeSuite = fmt.Errorf("%w: cipher suite", ErrWelcome)
	// ErrWelcomeOmits: it lacks a member that the commit adds.
	ErrWelcomeOmits = fmt.Errorf("%w: new member left out", ErrWelcome)
	// ErrWelcomeExtra: it names a KeyPackage that the commit does not add.
	ErrWelcomeExtra = fmt.Errorf("%w: not a new member", ErrWelcome)
	// ErrWelcomeRepeats: it names a KeyPackage twice.
	ErrWelcomeRepeats = fmt.Errorf("%w: new member twice", ErrWelcome)
)

// Errors about epochs kept for newcomers.
var (
	// ErrNotRetained: the epoch's tree is not kept: it never was, everybody
	// joined, or it was released.
	ErrNotRetained = errors.New("publicgroup: epoch is not retained")
	// ErrNotWaiting: the leaf was not added in that epoch, or has joined.
	ErrNotWaiting = errors.New("publicgroup: no newcomer at this leaf")
)
