package epoch

import (
	"errors"
	"fmt"
)

// Errors of a message as a whole.
var (
	// ErrWrongGroup: the message belongs to another group.
	ErrWrongGroup = errors.New("epoch: message for another group")
	// ErrWrongEpoch: the message belongs to another epoch. The error is a
	// [*WrongEpochError], which tells the current one.
	ErrWrongEpoch = errors.New("epoch: message for another epoch")
	// ErrUnknownSender: the sender's leaf is blank or outside the tree, or its
	// index is not in external_senders.
	ErrUnknownSender = errors.New("epoch: unknown sender")
	// ErrTag: a confirmation tag is not of the suite's size.
	ErrTag = errors.New("epoch: tag of a wrong size")
)

// WrongEpochError tells the sender of a late or early message where the group
// stands.
type WrongEpochError struct{ Current uint64 }

func (e *WrongEpochError) Error() string {
	return fmt.Sprintf("%v: the group is at %d", ErrWrongEpoch, e.Current)
}

// Is makes the error match [ErrWrongEpoch].
func (e *WrongEpochError) Is(target error) bool { return target == ErrWrongEpoch }

// Errors of one proposal, by RFC 9420, Section 12.1, and draft-ietf-mls-extensions.
// All wrap [ErrProposal].
var (
	ErrProposal = errors.New("epoch: invalid proposal")

	// ErrUpdateSender: an Update from somebody who has no leaf.
	ErrUpdateSender = fmt.Errorf("%w: Update from a sender without a leaf", ErrProposal)
	// ErrUpdateKey: an Update keeps the encryption key it is there to replace.
	ErrUpdateKey = fmt.Errorf("%w: Update keeps the encryption key", ErrProposal)
	// ErrRemoveBlank: a Remove of a leaf that holds nobody.
	ErrRemoveBlank = fmt.Errorf("%w: Remove of a blank leaf", ErrProposal)
	// ErrPSKNonce: a PSK nonce that is not HashSize octets.
	ErrPSKNonce = fmt.Errorf("%w: PSK nonce of a wrong size", ErrProposal)
	// ErrPSKUsage: a resumption PSK for reinit or branch outside a Welcome.
	ErrPSKUsage = fmt.Errorf("%w: PSK usage outside its place", ErrProposal)
	// ErrKEMOutput: an ExternalInit whose kem_output is none of the suite's KEM.
	ErrKEMOutput = fmt.Errorf("%w: kem_output", ErrProposal)
	// ErrReInitVersion: a ReInit to an older protocol version.
	ErrReInitVersion = fmt.Errorf("%w: ReInit to an older version", ErrProposal)
	// ErrSelfRemoveFraming: a SelfRemove that is not a member's PublicMessage.
	ErrSelfRemoveFraming = fmt.Errorf("%w: SelfRemove not from a member in a PublicMessage", ErrProposal)
	// ErrSelfRemoveByValue: a SelfRemove inside a commit.
	ErrSelfRemoveByValue = fmt.Errorf("%w: SelfRemove by value", ErrProposal)
	// ErrGroupExtension: a GroupContextExtensions proposal with a malformed or
	// repeated extension, or one that belongs elsewhere.
	ErrGroupExtension = fmt.Errorf("%w: group context extension", ErrProposal)
	// ErrAppDataDictionary: a GroupContextExtensions proposal changes the
	// app_data_dictionary of a group that requires AppDataUpdate for it.
	ErrAppDataDictionary = fmt.Errorf("%w: app_data_dictionary changed without AppDataUpdate", ErrProposal)
	// ErrAppData: the application refuses an AppDataUpdate, or it removes what
	// is not there.
	ErrAppData = fmt.Errorf("%w: AppDataUpdate", ErrProposal)
	// ErrReplaced: the rules of the application refuse a leaf that replaces
	// another.
	ErrReplaced = fmt.Errorf("%w: leaf may not take the place of the one before", ErrProposal)
)

// Errors of a commit's list of proposals, by RFC 9420, Section 12.2. All wrap
// [ErrProposalList].
var (
	ErrProposalList = errors.New("epoch: invalid list of proposals")

	// ErrCommitterUpdate: an Update from the committer itself.
	ErrCommitterUpdate = fmt.Errorf("%w: Update from the committer", ErrProposalList)
	// ErrCommitterRemoved: a Remove or SelfRemove of the committer.
	ErrCommitterRemoved = fmt.Errorf("%w: removal of the committer", ErrProposalList)
	// ErrSameLeaf: two of Update, Remove and SelfRemove for one leaf.
	ErrSameLeaf = fmt.Errorf("%w: two changes of one leaf", ErrProposalList)
	// ErrSameClient: two Adds of one client.
	ErrSameClient = fmt.Errorf("%w: two Adds of one client", ErrProposalList)
	// ErrSameReference: one proposal named twice.
	ErrSameReference = fmt.Errorf("%w: one proposal named twice", ErrProposalList)
	// ErrSamePSK: one PSK twice.
	ErrSamePSK = fmt.Errorf("%w: one PSK twice", ErrProposalList)
	// ErrTooManyPSKs: more than [MaxPSKs] PSKs.
	ErrTooManyPSKs = fmt.Errorf("%w: too many PSKs", ErrProposalList)
	// ErrTwoGroupExtensions: two GroupContextExtensions.
	ErrTwoGroupExtensions = fmt.Errorf("%w: two GroupContextExtensions", ErrProposalList)
	// ErrReInitNotAlone: a ReInit beside other proposals.
	ErrReInitNotAlone = fmt.Errorf("%w: ReInit beside others", ErrProposalList)
	// ErrExternalInit: an ExternalInit in a member's commit, or not exactly one
	// in an external commit.
	ErrExternalInit = fmt.Errorf("%w: ExternalInit", ErrProposalList)
	// ErrExternalList: an external commit with a proposal it may not have.
	ErrExternalList = fmt.Errorf("%w: proposal that an external commit may not have", ErrProposalList)
	// ErrExternalReference: an external commit that names a proposal other than
	// a SelfRemove.
	ErrExternalReference = fmt.Errorf("%w: external commit by reference", ErrProposalList)
	// ErrExternalRemove: an external commit that removes more than one leaf, or
	// one that is not the joiner's.
	ErrExternalRemove = fmt.Errorf("%w: Remove in an external commit", ErrProposalList)
	// ErrUnsupportedProposal: a proposal of a type that some member does not
	// support.
	ErrUnsupportedProposal = fmt.Errorf("%w: proposal type not supported by all", ErrProposalList)
	// ErrAppDataList: AppDataUpdates of one component that exclude each other.
	ErrAppDataList = fmt.Errorf("%w: AppDataUpdates exclude each other", ErrProposalList)
)

// Errors of the epoch that a commit would make. All wrap [ErrCommit].
var (
	ErrCommit = errors.New("epoch: invalid commit")

	// ErrPathRequired: the commit lacks the UpdatePath its proposals need.
	ErrPathRequired = fmt.Errorf("%w: UpdatePath required", ErrCommit)
	// ErrPathSecret: an encrypted path secret has a size that none can have, or
	// a KEM output that is none of the suite's.
	ErrPathSecret = fmt.Errorf("%w: encrypted path secret", ErrCommit)
	// ErrUnsupportedExtension: the GroupContext has or requires an extension
	// that some member does not support.
	ErrUnsupportedExtension = fmt.Errorf("%w: extension not supported by all", ErrCommit)
	// ErrRequiredProposal: some member lacks a required proposal type.
	ErrRequiredProposal = fmt.Errorf("%w: required proposal type not supported by all", ErrCommit)
	// ErrUnsupportedCredential: a credential type in use, or required, that some
	// member does not support.
	ErrUnsupportedCredential = fmt.Errorf("%w: credential type not supported by all", ErrCommit)
	// ErrDuplicate: two members share a signature key, or two nodes an
	// encryption key.
	ErrDuplicate = fmt.Errorf("%w: key used twice", ErrCommit)
	// ErrEpochs: the epoch number is used up.
	ErrEpochs = fmt.Errorf("%w: last epoch", ErrCommit)
)
