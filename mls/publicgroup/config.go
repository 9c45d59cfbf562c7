package publicgroup

import (
	"fmt"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// Config is a service's policy for a group. Zero values are safe. It is not
// part of the group's state: a service may open a group under another one.
type Config struct {
	// MaxMembers is the largest group. Default 65,536.
	MaxMembers uint32
	// MaxMessage is the longest message in octets, for a commit together with
	// its Welcome and GroupInfo. Default 4 MiB, which holds a full GroupInfo
	// with the tree of about 10,000 members, or a commit to as many who have
	// never committed.
	MaxMessage int
	// MaxProposals is how many proposals may be pending. Default 256.
	MaxProposals int
	// MaxProposalsPerSender is how many of them one leaf or one external sender
	// may send; newcomers who propose to be added count as one sender. Default 16.
	MaxProposalsPerSender int
	// MaxProposalOctets is how large they may be together. It must not exceed
	// what members keep: a commit that names a proposal which they had no room
	// for would lock them out. Default 1 MiB, a quarter of what package group
	// keeps.
	MaxProposalOctets int
	// MaxExtensions is how many octets the extensions of a GroupContext may
	// have, and those of a GroupInfo beside the tree: the header holds both, and
	// every operation reads it. Default 64 KiB.
	MaxExtensions int
	// MaxPathlessAdds is how many members may be added by commits without a
	// path since the last commit with one. Each of them makes the tree's inner
	// nodes, and so every later commit, dearer. Default 64.
	MaxPathlessAdds int
	// RetainedEpochs is how many epochs that added members are kept for them to
	// join. Beyond it the oldest is given up, and who still wanted to join by
	// its Welcome joins by external commit. Default 32.
	RetainedEpochs int
	// PastEpochs is how many epochs back an application message may be.
	// Negative means none. Default 4.
	PastEpochs int

	// MaxLifetime is the longest lifetime of an added KeyPackage. Default: any.
	MaxLifetime time.Duration
	// IgnoreLifetime accepts KeyPackages whatever their lifetime.
	IgnoreLifetime bool

	// ExternalJoins allows external commits. Every GroupInfo must then have an
	// external_pub. An external committer may remove one leaf as its own old one
	// if Rules.SameClient says so, and by default that compares credentials:
	// where anybody can write any credential, as in basic ones, SameClient or
	// CheckLeaf must ask for a proof, or anybody can take a member's place.
	ExternalJoins bool
	// GroupInfoOptional accepts commits without a GroupInfo. The new epoch then
	// has none to serve, until a member brings one.
	GroupInfoOptional bool
	// WelcomeOptional accepts commits that add members without a Welcome, for
	// services in which Welcomes take another way. One that comes is checked.
	WelcomeOptional bool
	// InlineTree accepts GroupInfos that have the tree in a ratchet_tree
	// extension. Checking one takes an export of the whole tree, and so does
	// every later request for it.
	InlineTree bool
	// CoverRemovals refuses commits that leave out what must not wait: SelfRemoves
	// and, unless the commit is external and can not have them, Removes by
	// external senders. A member whom an external sender wants removed can then
	// not commit. Removes proposed by members do not count, lest two members
	// block each other's commits.
	CoverRemovals bool

	// Rules are the application's decisions about leaves and application data.
	Rules *epoch.Rules
	// CheckLeaf judges a leaf that enters the group, or replaces old if that is
	// not nil: its credential, above all. The leaf of a path may not be verified
	// yet; if it proves invalid, the commit is refused whatever CheckLeaf says.
	// Its error is returned within [ErrLeafRefused]. Default: none is refused.
	CheckLeaf func(old, leaf *mls.LeafNode) error
}

// withDefaults fills in what is zero. It fails with [ErrConfig].
func (c Config) withDefaults() (Config, error) {
	if c.MaxMembers > mls.MaxLeaves || c.MaxMessage < 0 || c.MaxProposals < 0 || c.MaxProposalsPerSender < 0 ||
		c.MaxProposalOctets < 0 || c.MaxExtensions < 0 || c.MaxPathlessAdds < 0 || c.RetainedEpochs < 0 || c.MaxLifetime < 0 {
		return c, fmt.Errorf("%w: limit out of range", ErrConfig)
	}
	setDefault(&c.MaxMembers, 1<<16)
	setDefault(&c.MaxMessage, 4<<20)
	setDefault(&c.MaxProposals, 256)
	setDefault(&c.MaxProposalsPerSender, 16)
	setDefault(&c.MaxProposalOctets, 1<<20)
	setDefault(&c.MaxExtensions, 64<<10)
	setDefault(&c.MaxPathlessAdds, 64)
	setDefault(&c.RetainedEpochs, 32)
	setDefault(&c.PastEpochs, 4)
	c.PastEpochs = max(c.PastEpochs, 0)
	return c, nil
}

func setDefault[T int | uint32](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// extensionsSize is an upper bound of the octets that es is encoded in.
func extensionsSize(es mls.Extensions) (size uint64) {
	for i := range es {
		size += 8 + uint64(len(es[i].Data))
	}
	return size
}

// checkExtensions bounds what ends up in the header.
func (c *Config) checkExtensions(es mls.Extensions) error {
	if extensionsSize(es) > uint64(c.MaxExtensions) {
		return fmt.Errorf("%w: extensions", ErrTooLarge)
	}
	return nil
}

// checkLeaf asks the hook.
func (c *Config) checkLeaf(old, leaf *mls.LeafNode) error {
	if c.CheckLeaf == nil {
		return nil
	}
	if err := c.CheckLeaf(old, leaf); err != nil {
		return fmt.Errorf("%w: %w", ErrLeafRefused, err)
	}
	return nil
}

// checkLifetime judges the leaf of a KeyPackage that is to be added (RFC 9420,
// Sections 7.3 and 10.1).
func (c *Config) checkLifetime(leaf *mls.LeafNode, now time.Time) error {
	l := leaf.Lifetime
	switch {
	case c.IgnoreLifetime:
		return nil
	case !l.Contains(now):
		return fmt.Errorf("%w: not at this time", ErrLifetime)
	case c.MaxLifetime > 0 && l.NotAfter-l.NotBefore > uint64(c.MaxLifetime/time.Second):
		return fmt.Errorf("%w: too long", ErrLifetime)
	}
	return nil
}
