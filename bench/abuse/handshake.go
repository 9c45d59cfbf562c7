package abuse

import (
	"context"
	"crypto/rand"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// stateLabel is that of the exporter of group state keys.
const stateLabel = "pseudods group state key"

func commitBody(made *group.Commit, id wire.GroupID) (body *wire.GroupCommit, err error) {
	body = &wire.GroupCommit{Group: id}
	if body.Commit, err = mls.Marshal(made.Message); err != nil {
		return nil, err
	}
	body.PartialGroupInfo, err = mls.Marshal(made.Partial)
	return body, err
}

// Renew hands in a commit that is pending, with the given tokens, and takes it over
// if the service does.
func (i *Insider) Renew(ctx context.Context, body *wire.GroupCommit, paid [][]byte) error {
	err := i.AskWith(ctx, wire.OpUpdate, body, paid, new(wire.Accepted))
	if err != nil {
		i.Group.Discard()
		return err
	}
	_, err = i.Group.Merge()
	return err
}

// Scout gets what a joiner from outside needs, with a group state key.
func (i *Insider) Scout(ctx context.Context, id wire.GroupID, key secret.Bytes) (*wire.ExternalCommitInfo, error) {
	paid, err := i.Pay(ctx, wire.OpExternalCommitInfo)
	if err != nil {
		return nil, err
	}
	r, err := i.Compose(wire.OpExternalCommitInfo, &wire.GroupQuery{Group: id}, wire.Auth{}, key, nil, paid)
	if err != nil {
		return nil, err
	}
	info := new(wire.ExternalCommitInfo)
	return info, i.Do(ctx, i.p, r, info)
}

// Enter joins a group from outside, with a key that somebody in it gave away.
func (i *Insider) Enter(ctx context.Context, id wire.GroupID, key secret.Bytes) error {
	return i.enter(ctx, wire.OpExternalJoin, id, key)
}

// Rejoin takes the insider's leaf out of the group and puts a new one in, by one
// commit, as whoever cannot follow any more does.
func (i *Insider) Rejoin(ctx context.Context) error {
	key, err := StateKey(i.Group)
	if err != nil {
		return err
	}
	return i.enter(ctx, wire.OpRejoin, i.ID(), key)
}

func (i *Insider) enter(ctx context.Context, op wire.Operation, id wire.GroupID, key secret.Bytes) error {
	info, err := i.Scout(ctx, id, key)
	if err != nil {
		return err
	}
	var gi mls.GroupInfo
	if err := mls.Unmarshal(info.GroupInfo, &gi); err != nil {
		return err
	}
	o := group.ExternalOptions{GroupInfo: group.GroupInfoOptions{ExternalPub: true}}
	if err := mls.Unmarshal(info.Tree, &o.Tree); err != nil {
		return err
	}
	auth, signer := wire.Auth{Type: wire.AuthJoiner}, i.MLS.Signer
	if op == wire.OpRejoin {
		leaf, err := group.FindOwnLeaf(o.Tree, &i.MLS.Credential)
		if err != nil {
			return err
		}
		o.Remove = &leaf
		auth, signer = i.UserAuth(), i.User
	}
	joined, made, err := group.JoinExternal(i.Config, i.MLS, &gi, o)
	if err != nil {
		return err
	}
	body, err := commitBody(made, id)
	if err != nil {
		return err
	}
	if body.NextKey, err = StateKey(joined); err != nil {
		return err
	}
	if body.Address, err = i.BoundAddress(id); err != nil {
		return err
	}
	paid, err := i.Pay(ctx, op)
	if err != nil {
		return err
	}
	r, err := i.Compose(op, body, auth, key, signer, paid)
	if err != nil {
		return err
	}
	if err := i.Do(ctx, i.p, r, new(wire.Accepted)); err != nil {
		return err
	}
	i.former = i.former || !i.secret.IsZero()
	i.Group, i.secret = joined, seal.DeliverySecret{Bytes: body.Address.Secret}
	return nil
}

// Rename gives the insider new keys and a new pseudonym, beside the same account and
// queue. It is in no group then.
func (i *Insider) Rename() error {
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return err
	}
	if i.User, err = suite.GenerateSignatureKey(rand.Reader); err != nil {
		return err
	}
	i.Group = nil
	return i.pseudonym(suite)
}
