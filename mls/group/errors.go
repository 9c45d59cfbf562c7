package group

import (
	"errors"
	"fmt"
)

// Errors of what the group's state does not allow.
var (
	// ErrRemoved: this client is no longer a member.
	ErrRemoved = errors.New("group: this client was removed")
	// ErrReInitialised: a commit closed the group in favour of another (RFC
	// 9420, Section 12.1.5).
	ErrReInitialised = errors.New("group: closed by a ReInit")
	// ErrPendingCommit: a commit of this client waits for Merge or Discard.
	ErrPendingCommit = errors.New("group: a commit is pending")
	// ErrNoPendingCommit: there is nothing to merge.
	ErrNoPendingCommit = errors.New("group: no commit is pending")
	// ErrUncommitted: proposals wait, and must be committed before application
	// data is sent (RFC 9420, Section 12.4).
	ErrUncommitted = errors.New("group: proposals must be committed first")
	// ErrNotReInitialised: no ReInit closed the group, so that nothing succeeds
	// it.
	ErrNotReInitialised = errors.New("group: not closed by a ReInit")
)

// Errors of messages that arrive.
var (
	// ErrWireFormat: a Welcome, GroupInfo or KeyPackage where a group's message
	// belongs, or a handshake in a form that [Config].Accept refuses.
	ErrWireFormat = errors.New("group: wire format not accepted")
	// ErrUnknownProposal: a commit names a proposal that this client has not
	// received, or an Update of its own whose key it does not have.
	ErrUnknownProposal = errors.New("group: commit names an unknown proposal")
	// ErrTooManyProposals: the epoch has as many proposals as [Config] allows.
	ErrTooManyProposals = errors.New("group: too many proposals in this epoch")
	// ErrPSK: a pre-shared key is not at hand.
	ErrPSK = errors.New("group: unknown pre-shared key")
	// ErrLifetime: a KeyPackage is used outside its lifetime, or its lifetime is
	// longer than [Config].MaxLifetime.
	ErrLifetime = errors.New("group: KeyPackage outside its lifetime")
	// ErrRefused wraps what a hook of [Config] returned.
	ErrRefused = errors.New("group: refused by the application")
)

// Errors of joining. All wrap [ErrJoin].
var (
	ErrJoin = errors.New("group: can not join")

	// ErrNotForUs: a Welcome names none of this client's KeyPackages.
	ErrNotForUs = fmt.Errorf("%w: Welcome for others", ErrJoin)
	// ErrNoTree: no ratchet tree, neither in the GroupInfo nor beside it.
	ErrNoTree = fmt.Errorf("%w: ratchet tree missing", ErrJoin)
	// ErrTreeHash: the tree is not the GroupContext's.
	ErrTreeHash = fmt.Errorf("%w: tree hash differs", ErrJoin)
	// ErrSigner: the signer of a GroupInfo is not a member.
	ErrSigner = fmt.Errorf("%w: unknown signer", ErrJoin)
	// ErrNotInTree: no leaf is the one of the KeyPackage.
	ErrNotInTree = fmt.Errorf("%w: own leaf not in the tree", ErrJoin)
	// ErrParameters: protocol version or cipher suite are not those of the
	// KeyPackage, or not supported.
	ErrParameters = fmt.Errorf("%w: version or cipher suite", ErrJoin)
	// ErrNoExternalPub: a GroupInfo without external_pub.
	ErrNoExternalPub = fmt.Errorf("%w: no external_pub", ErrJoin)
	// ErrGroupSecrets: secrets of a wrong size, or PSKs that do not go
	// together.
	ErrGroupSecrets = fmt.Errorf("%w: group secrets", ErrJoin)
	// ErrPredecessor: the group claims to continue another one, which was not
	// given or which it does not match (RFC 9420, Sections 11.2 and 11.3).
	ErrPredecessor = fmt.Errorf("%w: not the successor of the group before", ErrJoin)
)

var (
	// ErrProposalType: a method was asked for a proposal that it does not make.
	ErrProposalType = errors.New("group: proposal of the wrong type for this call")
	// ErrNoStore: [Config] has no KeyPackageStore.
	ErrNoStore = errors.New("group: no KeyPackage store")
	// ErrState: a saved state is malformed.
	ErrState = errors.New("group: malformed state")
)
