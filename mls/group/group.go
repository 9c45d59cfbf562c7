package group

import (
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// Group is a client's state in one group. It is not safe for concurrent use.
type Group struct {
	cfg   Config
	suite *mls.Suite
	store *tree.Memory

	now   current
	ended End
	// reInit is what closed the group, if ended is [EndReInit].
	reInit *mls.ReInit

	queue   queue
	pending *pending
	// welcomedBy signed the Welcome of a client that joined by one.
	welcomedBy mls.LeafIndex
	welcomed   bool
	// pathNext: a commit that added members without a path was made in this
	// epoch. See [Group.commit].
	pathNext bool
	past     []*pastEpoch // newest first
	resume   []resumption // newest first
}

// End says whether and how the group has ended for this client.
type End uint8

const (
	EndNone    End = 0
	EndRemoved End = 1 // this client was removed
	EndReInit  End = 2 // see [Group.ReInit]
)

// current is what a member holds of one epoch.
type current struct {
	public *epoch.State
	tag    []byte // the epoch's confirmation tag
	// The rest is nil once the client was removed.
	private  *tree.Private
	signer   *mls.SignatureKey
	secrets  *mls.EpochSecrets // without Encryption and Confirmation
	messages *mls.SecretTree
}

// newCurrent completes an epoch: it turns the encryption secret into the secret
// tree and deletes what is consumed (RFC 9420, Section 9.2).
func newCurrent(public *epoch.State, tag []byte, private *tree.Private, signer *mls.SignatureKey, secrets *mls.EpochSecrets, w mls.Window) current {
	messages := public.Suite.NewSecretTree(secrets.Encryption, public.Tree.Size(), w)
	secrets.Encryption.Wipe()
	secrets.Confirmation.Wipe()
	secrets.Encryption, secrets.Confirmation = secret.Bytes{}, secret.Bytes{}
	return current{public: public, tag: tag, private: private, signer: signer, secrets: secrets, messages: messages}
}

// wipe deletes the epoch's secrets.
func (c *current) wipe() {
	if s := c.secrets; s != nil {
		for _, b := range []secret.Bytes{s.SenderData, s.Exporter, s.External, s.Membership, s.Resumption, s.EpochAuthenticator, s.Init.Bytes} {
			b.Wipe()
		}
	}
	c.private, c.signer, c.secrets, c.messages = nil, nil, nil, nil
}

// GroupID returns the group's name. The caller must not modify it.
func (g *Group) GroupID() []byte { return g.now.public.Context.GroupID }

// Epoch returns the current epoch, the last one if the group has ended.
func (g *Group) Epoch() uint64 { return g.now.public.Context.Epoch }

// CipherSuite returns the group's cipher suite.
func (g *Group) CipherSuite() mls.CipherSuite { return g.suite.ID() }

// Context returns the GroupContext. The caller must not modify what it refers
// to.
func (g *Group) Context() mls.GroupContext { return g.now.public.Context }

// InterimTranscriptHash returns the transcript hash that the next commit
// continues.
func (g *Group) InterimTranscriptHash() []byte { return g.now.public.InterimTranscriptHash }

// Ended says whether the group has ended for this client.
func (g *Group) Ended() End { return g.ended }

// ReInit returns what closed the group, nil if nothing did.
func (g *Group) ReInit() *mls.ReInit { return g.reInit }

// OwnLeaf returns this client's leaf index. It fails with [ErrRemoved].
func (g *Group) OwnLeaf() (mls.LeafIndex, error) {
	if g.now.private == nil {
		return 0, ErrRemoved
	}
	return g.now.private.Leaf(), nil
}

// Members returns the number of members.
func (g *Group) Members() int { return int(g.now.public.Tree.Members()) }

// Member returns the leaf of a member, or [epoch.ErrUnknownSender]. The caller
// must not modify it.
func (g *Group) Member(l mls.LeafIndex) (*mls.LeafNode, error) { return g.now.public.Leaf(l) }

// EachMember calls f for every member, in the order of their leaves, until f
// fails.
func (g *Group) EachMember(f func(mls.LeafIndex, *mls.LeafNode) error) error {
	return g.now.public.Tree.EachLeaf(f)
}

// Tree returns the ratchet tree, for those who join. It is linear in the number
// of members.
func (g *Group) Tree() (mls.RatchetTree, error) { return g.now.public.Tree.Export() }

// EpochAuthenticator returns a value that members can compare by other means to
// detect that they are in different states (RFC 9420, Section 8.7). It fails
// with [ErrRemoved].
func (g *Group) EpochAuthenticator() (secret.Bytes, error) {
	if g.now.secrets == nil {
		return secret.Bytes{}, ErrRemoved
	}
	return clone(g.now.secrets.EpochAuthenticator), nil
}

// ResumptionPSK returns the current epoch's resumption PSK (RFC 9420, Section
// 8.6), for use in other groups. It fails with [ErrRemoved].
func (g *Group) ResumptionPSK() (secret.Bytes, error) {
	if g.now.secrets == nil {
		return secret.Bytes{}, ErrRemoved
	}
	return clone(g.now.secrets.Resumption), nil
}

// Export derives length octets for the application, which all members of the
// epoch can derive and nobody else (RFC 9420, Section 8.5: MLS-Exporter). It
// fails with [ErrRemoved] or [mls.ErrExportLength].
func (g *Group) Export(label string, context []byte, length int) (secret.Bytes, error) {
	if g.now.secrets == nil {
		return secret.Bytes{}, ErrRemoved
	}
	return g.suite.Export(g.now.secrets.Exporter, label, context, length)
}

// active fails unless the client may send in the group.
func (g *Group) active() error {
	switch g.ended {
	case EndRemoved:
		return ErrRemoved
	case EndReInit:
		return ErrReInitialised
	}
	return nil
}
