package ds

import (
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// doSend sends an application message to all members. That the member who signed
// the request is the one who encrypted the message, only members can tell: they
// take it from nobody but the sender in its frank.
func doSend(r *request) (mls.Marshaler, error) {
	b := r.body.(*wire.GroupMessage)
	if len(b.Message) > r.service.cfg.MaxMessage {
		return nil, errTooLarge
	}
	m, err := r.public.CheckPrivate(b.Message)
	if err != nil {
		return nil, err
	}
	frank, err := r.frank(m)
	if err != nil {
		return nil, err
	}
	out := r.newFanout()
	if err := out.toAll(&wire.Fanout{Kind: wire.FanoutApplication, Message: b.Message, Frank: frank}); err != nil {
		return nil, err
	}
	if err := out.finish(); err != nil {
		return nil, err
	}
	return r.accepted(), nil
}

// doTarget sends a message to one member. It is the members' own: they encrypt
// it, and the service does not look into it.
func doTarget(r *request) (mls.Marshaler, error) {
	b := r.body.(*wire.TargetedMessage)
	if len(b.Content) > r.service.cfg.MaxMessage {
		return nil, errTooLarge
	}
	if _, err := r.public.Leaf(b.Leaf); errors.Is(err, tree.ErrNoMember) {
		return nil, notAllowed
	} else if err != nil {
		return nil, err
	}
	out := r.newFanout()
	if err := out.toOne(&wire.Fanout{Kind: wire.FanoutTargeted, Message: b.Content, Sender: r.Auth.Leaf}, b.Leaf); err != nil {
		return nil, err
	}
	if err := out.finish(); err != nil {
		return nil, err
	}
	return r.accepted(), nil
}

// doPropose has a member's proposal pending. A change of the policy or the end of
// the group is by value only: who may do it does it.
func doPropose(r *request) (mls.Marshaler, error) {
	b := r.body.(*wire.GroupMessage)
	staged, err := r.public.StageProposal(b.Message, r.now)
	if err != nil {
		return nil, err
	}
	p := staged.Proposal
	if p.Sender.Type != mls.SenderTypeMember || p.Sender.Leaf != r.Auth.Leaf {
		return nil, notAllowed
	}
	switch p.Type {
	case mls.ProposalTypeSelfRemove:
		if r.Operation != wire.OpSelfRemove {
			return nil, notAllowed
		}
	case mls.ProposalTypeAdd, mls.ProposalTypeUpdate, mls.ProposalTypeRemove:
		if r.Operation != wire.OpPropose {
			return nil, notAllowed
		}
		if err := r.checkProposed(p); err != nil {
			return nil, err
		}
	default:
		return nil, notAllowed
	}
	out := r.newFanout()
	if err := out.toAll(&wire.Fanout{Kind: wire.FanoutProposal, Message: b.Message}); err != nil {
		return nil, err
	}
	if err := (treeStore{r.group}).Apply(staged.Changes); err != nil {
		return nil, err
	}
	if err := out.finish(); err != nil {
		return nil, err
	}
	return r.accepted(), nil
}

// checkProposed checks that who proposes to add or remove somebody could do so:
// others commit what is pending without being asked.
func (r *request) checkProposed(p *epoch.Proposal) error {
	var concerned *mls.LeafNode
	var err error
	switch p.Type {
	case mls.ProposalTypeAdd:
		concerned = &p.Add.LeafNode
	case mls.ProposalTypeRemove:
		concerned, err = r.public.Leaf(p.Remove)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	leaf, err := r.public.Leaf(r.Auth.Leaf)
	if err != nil {
		return err
	}
	own, err := r.name(leaf)
	if err != nil {
		return err
	}
	other, err := r.name(concerned)
	if err != nil {
		return err
	}
	if other.User == own.User {
		return nil
	}
	may, err := r.mayManage(leaf)
	if err == nil && !may {
		err = notAllowed
	}
	return err
}
