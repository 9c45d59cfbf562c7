package group

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// HandshakePolicy says which framing of members' proposals and commits a client
// accepts. SelfRemoves and what outsiders send are PublicMessages always.
type HandshakePolicy int

const (
	AcceptAny HandshakePolicy = iota
	AcceptPublic
	AcceptPrivate
)

// KeyPackageStore keeps the private parts of published KeyPackages.
//
// Whoever controls it can read the Welcomes that use these KeyPackages.
type KeyPackageStore interface {
	// PutKeyPackage keeps p.
	PutKeyPackage(ref mls.KeyPackageRef, p *KeyPackage) error
	// KeyPackage returns what was kept, or nil and no error if there is none.
	KeyPackage(ref mls.KeyPackageRef) (*KeyPackage, error)
	// DeleteKeyPackage is called once a KeyPackage that is not of last resort
	// was used.
	DeleteKeyPackage(ref mls.KeyPackageRef) error
}

// PSKStore gives out pre-shared keys. An unknown one is the zero value and no
// error.
type PSKStore interface {
	ExternalPSK(id []byte) (secret.Bytes, error)
	// ResumptionPSK is asked for epochs that the group at hand does not know:
	// those of other groups, and its own that it no longer keeps.
	ResumptionPSK(groupID []byte, epoch uint64) (secret.Bytes, error)
}

// CredentialValidator is the application's link to its authentication service
// (RFC 9420, Section 5.3.1). Its errors are returned wrapped in [ErrRefused].
type CredentialValidator interface {
	// ValidateLeaf judges a leaf that enters the tree by an Add, an Update or a
	// path, and each leaf of a tree that is joined.
	ValidateLeaf(*mls.LeafNode) error
	// ValidateExternalSender judges each entry of the external_senders
	// extension when the group gets it and when it is joined.
	ValidateExternalSender(*mls.ExternalSender) error
}

// Config holds what the application decides. It is not saved with a group. The
// zero value works, for a group without PSKs and with credentials that nobody
// checks; to join by Welcome it needs a KeyPackageStore.
type Config struct {
	// Rand is the source of keys. Default: the system's.
	Rand io.Reader

	KeyPackages KeyPackageStore
	PSKs        PSKStore
	Credentials CredentialValidator

	// CheckCommit may refuse a commit of another member, for example because its
	// sender lacks a right. It is asked last, when the commit is known to be
	// valid (as far as a member can tell whom it removes). All members must
	// decide alike, or the group falls apart.
	CheckCommit func(*Committed) error

	// Now, if set, is compared with the lifetimes of KeyPackages when they are
	// proposed or committed; leaves already in a tree that is joined are not
	// judged. Nil means lifetimes are not checked. Members whose clocks differ
	// may disagree about a commit, so a delivery service should refuse
	// KeyPackages well before they expire.
	Now func() time.Time
	// MaxLifetime is the longest lifetime a KeyPackage may have, if Now is set.
	// 0 means any.
	MaxLifetime time.Duration

	Rules *epoch.Rules

	// Handshakes is how own proposals and commits are framed. Default:
	// [mls.WireFormatPublicMessage].
	Handshakes mls.WireFormat
	Accept     HandshakePolicy
	// PadTo is the multiple of octets to which PrivateMessages are padded.
	PadTo int

	// Window bounds how far messages may be out of order.
	Window mls.Window
	// PastEpochs is for how many past epochs the keys of late application
	// messages are kept. Default 0.
	PastEpochs int
	// ResumptionEpochs is for how many past epochs resumption PSKs are kept.
	// Default 0: the current epoch's alone.
	ResumptionEpochs int
	// MaxProposals is how many proposals are kept in one epoch, and
	// MaxProposalOctets how many octets they take. Defaults 1024 and 4 MiB.
	MaxProposals, MaxProposalOctets int
}

func (c Config) withDefaults() Config {
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Handshakes == 0 {
		c.Handshakes = mls.WireFormatPublicMessage
	}
	if c.MaxProposals == 0 {
		c.MaxProposals = 1024
	}
	if c.MaxProposalOctets == 0 {
		c.MaxProposalOctets = 4 << 20
	}
	return c
}

// refused wraps an error of a hook.
func refused(err error) error {
	if err == nil || errors.Is(err, ErrRefused) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

func (c *Config) validateLeaf(l *mls.LeafNode) error {
	if c.Credentials == nil {
		return nil
	}
	return refused(c.Credentials.ValidateLeaf(l))
}

// validateSenders judges the external_senders among a GroupContext's
// extensions.
func (c *Config) validateSenders(es mls.Extensions) error {
	if c.Credentials == nil {
		return nil
	}
	var senders mls.ExternalSenders
	if _, err := es.Decode(mls.ExtensionTypeExternalSenders, &senders); err != nil {
		return err
	}
	for i := range senders {
		if err := c.Credentials.ValidateExternalSender(&senders[i]); err != nil {
			return refused(err)
		}
	}
	return nil
}

func (c *Config) checkLifetime(l mls.Lifetime) error {
	if c.Now == nil {
		return nil
	}
	tooLong := c.MaxLifetime > 0 && l.NotAfter-l.NotBefore > uint64(c.MaxLifetime/time.Second)
	if tooLong || l.NotAfter < l.NotBefore || !l.Contains(c.Now()) {
		return ErrLifetime
	}
	return nil
}

// validateProposal asks the application about what a proposal brings in.
func (c *Config) validateProposal(p *mls.Proposal) error {
	switch p.Type {
	case mls.ProposalTypeAdd:
		if err := c.checkLifetime(p.Add.LeafNode.Lifetime); err != nil {
			return err
		}
		return c.validateLeaf(&p.Add.LeafNode)
	case mls.ProposalTypeUpdate:
		return c.validateLeaf(p.Update)
	case mls.ProposalTypeGroupContextExtensions:
		return c.validateSenders(p.GroupContextExtensions)
	}
	return nil
}
