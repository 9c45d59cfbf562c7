package abuse

import (
	"context"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Create makes a group of the insider alone.
func (i *Insider) Create(ctx context.Context) error {
	r, err := i.Compose(wire.OpRequestGroupID, &wire.Empty{}, wire.Auth{}, secret.Bytes{}, nil, nil)
	if err != nil {
		return err
	}
	var id wire.NewGroupID
	if err := i.Do(ctx, i.p, r, &id); err != nil {
		return err
	}
	if i.Group, err = group.Create(i.Config, i.MLS, id.Group[:], nil); err != nil {
		return err
	}
	info, err := i.Group.GroupInfo(group.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		return err
	}
	nodes, err := i.Group.Tree()
	if err != nil {
		return err
	}
	body := &wire.CreateGroup{Group: id.Group}
	if body.GroupInfo, err = mls.Marshal(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: info}); err != nil {
		return err
	}
	if body.Tree, err = mls.Marshal(&nodes); err != nil {
		return err
	}
	if body.Address, err = i.BoundAddress(id.Group); err != nil {
		return err
	}
	i.secret = seal.DeliverySecret{Bytes: body.Address.Secret}
	key, err := StateKey(i.Group)
	if err != nil {
		return err
	}
	paid, err := i.Pay(ctx, wire.OpCreateGroup)
	if err != nil {
		return err
	}
	if r, err = i.Compose(wire.OpCreateGroup, body, wire.Auth{Type: wire.AuthJoiner}, key, i.MLS.Signer, paid); err != nil {
		return err
	}
	return i.Do(ctx, i.p, r, new(wire.Accepted))
}

// BoundAddress makes an address of the insider's queue for a group.
func (i *Insider) BoundAddress(g wire.GroupID) (*wire.MemberAddress, error) {
	nonce := [wire.NonceSizeAddress]byte(random(wire.NonceSizeAddress))
	sealed, err := seal.SealAddress(&i.p.ring.Published()[0].Key, wire.AddressBound, i.queue, wire.AddressID(random(16)),
		seal.Use{Domain: i.p.Domain, Binding: seal.Binding(g[:], nonce)})
	if err != nil {
		return nil, err
	}
	return &wire.MemberAddress{Address: wire.QueueAddress{Domain: i.p.Domain, Sealed: *sealed, Nonce: nonce}, Secret: secret.New(random(seal.DeliverySecretSize))}, nil
}

// Commit makes a commit and hands it in as the operation says. It takes it over if
// the service does, and drops it if not. joiners are those whom its proposals add, in
// their order.
func (i *Insider) Commit(ctx context.Context, o wire.Operation, proposals []*mls.Proposal, joiners ...*Insider) error {
	body, err := i.CommitBody(proposals, joiners...)
	if err != nil {
		return err
	}
	if err := i.Ask(ctx, o, body, new(wire.Accepted)); err != nil {
		i.Group.Discard()
		return err
	}
	_, err = i.Group.Merge()
	return err
}

// CommitBody makes a commit with its request's body, and leaves it pending. One that
// was pending is dropped.
func (i *Insider) CommitBody(proposals []*mls.Proposal, joiners ...*Insider) (*wire.GroupCommit, error) {
	i.Group.Discard()
	commit, err := i.Group.Commit(group.CommitOptions{Proposals: proposals, ForcePath: true, GroupInfo: group.GroupInfoOptions{ExternalPub: true}})
	if err != nil {
		return nil, err
	}
	b, err := commitBody(commit, i.ID())
	if err != nil {
		return nil, err
	}
	if b.NextKey, err = i.Group.PendingExport(stateLabel, []byte(i.Group.GroupID()), wire.GroupStateKeySize); err != nil {
		return nil, err
	}
	if commit.Welcome != nil {
		if b.Welcome, err = mls.Marshal(commit.Welcome); err != nil {
			return nil, err
		}
	}
	for _, j := range joiners {
		first := secret.New(random(seal.DeliverySecretSize))
		info, err := seal.SealJoinInfo([32]byte(j.welcome.Public().Public), i.ID(), &wire.JoinInfo{GroupStateKey: b.NextKey, DeliverySecret: first})
		if err != nil {
			return nil, err
		}
		b.Joiners = append(b.Joiners, wire.Joiner{Secret: first, JoinInfo: info})
	}
	return b, nil
}

// Add adds insiders to the group in one commit. They have joined when it returns.
func (i *Insider) Add(ctx context.Context, joiners ...*Insider) error {
	var proposals []*mls.Proposal
	for _, j := range joiners {
		proposals = append(proposals, group.Add(j.kp))
	}
	if err := i.Commit(ctx, wire.OpAddUsers, proposals, joiners...); err != nil {
		return err
	}
	for _, j := range joiners {
		if err := j.Hear(ctx); err != nil {
			return err
		}
	}
	return nil
}
