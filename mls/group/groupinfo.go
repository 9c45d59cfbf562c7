package group

import (
	"github.com/pseudods/pseudods/mls"
)

// GroupInfoOptions says what a GroupInfo holds besides the GroupContext.
type GroupInfoOptions struct {
	// ExternalPub lets whoever gets the GroupInfo join by external commit.
	ExternalPub bool
	// Tree puts the ratchet tree in, which is linear in the number of members.
	Tree bool
	// Extensions are further ones. Those that nobody knows are ignored.
	Extensions mls.Extensions
}

// GroupInfo returns a GroupInfo of the current epoch, signed by this client
// (RFC 9420, Section 12.4.3). It is good for one external join, since that
// starts the next epoch. It fails with [ErrRemoved] or [ErrReInitialised].
func (g *Group) GroupInfo(o GroupInfoOptions) (*mls.GroupInfo, error) {
	if err := g.active(); err != nil {
		return nil, err
	}
	return g.now.groupInfo(o, g.Tree)
}

// groupInfo signs a GroupInfo. export gives the tree. The ratchet_tree stands
// last, as a PartialGroupInfo needs it.
func (c *current) groupInfo(o GroupInfoOptions, export func() (mls.RatchetTree, error)) (*mls.GroupInfo, error) {
	info := &mls.GroupInfo{
		GroupContext: c.public.Context, Extensions: o.Extensions.Without(mls.ExtensionTypeRatchetTree),
		ConfirmationTag: c.tag, Signer: c.private.Leaf(),
	}
	if o.ExternalPub {
		_, public, err := c.public.Suite.ExternalKeyPair(c.secrets)
		if err != nil {
			return nil, err
		}
		if info.Extensions, err = info.Extensions.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: public}); err != nil {
			return nil, err
		}
	}
	if o.Tree {
		nodes, err := export()
		if err != nil {
			return nil, err
		}
		if info.Extensions, err = info.Extensions.With(mls.ExtensionTypeRatchetTree, &nodes); err != nil {
			return nil, err
		}
	}
	return info, info.Sign(c.signer)
}
