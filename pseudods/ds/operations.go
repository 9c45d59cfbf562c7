package ds

import (
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// operations is all that the service does. Others are refused.
var operations = newOperations()

func newOperations() map[wire.Operation]operation {
	by := func(who ...wire.AuthType) []wire.AuthType { return who }
	commit := func(auth ...wire.AuthType) operation {
		return operation{auth: auth, body: func() body { return new(wire.GroupCommit) },
			id: func(b body) wire.GroupID { return b.(*wire.GroupCommit).Group }, changes: true, opens: true, signer: joinerOfCommit, do: doCommit}
	}
	message := func(do func(*request) (mls.Marshaler, error)) operation {
		return operation{auth: by(wire.AuthLeaf), body: func() body { return new(wire.GroupMessage) },
			id: func(b body) wire.GroupID { return b.(*wire.GroupMessage).Group }, changes: true, opens: true, do: do}
	}
	query := func(o operation) operation {
		o.body = func() body { return new(wire.GroupQuery) }
		o.id = func(b body) wire.GroupID { return b.(*wire.GroupQuery).Group }
		return o
	}
	return map[wire.Operation]operation{
		wire.OpRequestGroupID: {auth: by(wire.AuthNone), body: func() body { return new(wire.Empty) }, do: doRequestGroupID},
		wire.OpCreateGroup: {auth: by(wire.AuthJoiner), body: func() body { return new(wire.CreateGroup) },
			id: func(b body) wire.GroupID { return b.(*wire.CreateGroup).Group }, changes: true, signer: creator, do: doCreate},
		wire.OpDeleteGroup:   query(operation{auth: by(wire.AuthLeaf), changes: true, opens: true, do: doDelete}),
		wire.OpAddUsers:      commit(wire.AuthLeaf),
		wire.OpRemoveUsers:   commit(wire.AuthLeaf),
		wire.OpAddClients:    commit(wire.AuthLeaf),
		wire.OpRemoveClients: commit(wire.AuthLeaf),
		wire.OpUpdate:        commit(wire.AuthLeaf),
		wire.OpChangePolicy:  commit(wire.AuthLeaf),
		wire.OpReInit:        commit(wire.AuthLeaf),
		wire.OpRejoin:        commit(wire.AuthUser, wire.AuthJoiner),
		wire.OpExternalJoin:  commit(wire.AuthJoiner),
		wire.OpPropose:       message(doPropose),
		wire.OpSelfRemove:    message(doPropose),
		wire.OpSendMessage:   message(doSend),
		wire.OpTargetedMessage: {auth: by(wire.AuthLeaf), body: func() body { return new(wire.TargetedMessage) },
			id: func(b body) wire.GroupID { return b.(*wire.TargetedMessage).Group }, changes: true, opens: true, do: doTarget},
		wire.OpUpdateQueueAddress: {auth: by(wire.AuthLeaf), body: func() body { return new(wire.UpdateAddress) },
			id: func(b body) wire.GroupID { return b.(*wire.UpdateAddress).Group }, changes: true, opens: true, do: doUpdateAddress},
		wire.OpVerificationKey: {auth: by(wire.AuthNone), body: func() body { return new(wire.Empty) }, do: doVerificationKey},
		wire.OpCommitOutcome: {auth: by(wire.AuthNone), body: func() body { return new(wire.OutcomeQuery) },
			id: func(b body) wire.GroupID { return b.(*wire.OutcomeQuery).Group }, opens: true, do: doCommitOutcome},
		wire.OpAccessRequest: {auth: by(wire.AuthLeaf), body: func() body { return new(wire.AccessRequest) },
			id: func(b body) wire.GroupID { return b.(*wire.AccessRequest).Group }, changes: true, unchecked: true, do: doAccessRequest},
		wire.OpReportAbuse: {auth: by(wire.AuthLeaf), body: func() body { return new(wire.AbuseReport) },
			id: func(b body) wire.GroupID { return b.(*wire.AbuseReport).Group }, opens: true, do: doReport},
		wire.OpWelcomeInfo:        query(operation{auth: by(wire.AuthJoiner), signer: joinerOfWelcome, do: doWelcomeInfo}),
		wire.OpExternalCommitInfo: query(operation{auth: by(wire.AuthNone), opens: true, do: doExternalCommitInfo}),
	}
}

func groupInfo(message []byte) (*mls.GroupInfo, error) {
	var m mls.Message
	if err := mls.Unmarshal(message, &m); err != nil {
		return nil, err
	}
	if m.GroupInfo == nil {
		return nil, publicgroup.ErrWireFormat
	}
	return m.GroupInfo, nil
}

func doRequestGroupID(r *request) (mls.Marshaler, error) {
	id, err := r.service.newGroupID()
	return &wire.NewGroupID{Group: id}, err
}

func doVerificationKey(r *request) (mls.Marshaler, error) {
	if len(r.service.cfg.Signers) == 0 {
		return nil, notAllowed
	}
	out := make(wire.VerificationKeys, len(r.service.cfg.Signers))
	for i, k := range r.service.cfg.Signers {
		copy(out[i][:], k.Public())
	}
	return &out, nil
}

func doCreate(r *request) (mls.Marshaler, error) {
	b, g := r.body.(*wire.CreateGroup), r.group
	if g.base != 0 || !r.service.ownGroupID(b.Group) || r.GroupStateKey.IsZero() {
		return nil, notAllowed
	}
	var nodes mls.RatchetTree
	if err := mls.Unmarshal(b.Tree, &nodes); err != nil {
		return nil, err
	}
	info, err := groupInfo(b.GroupInfo)
	if err != nil {
		return nil, err
	}
	if string(info.GroupContext.GroupID) != string(b.Group[:]) {
		return nil, &wire.Error{Code: wire.CodeMalformed}
	}
	policy, err := wire.PolicyOf(info.GroupContext.Extensions)
	if err != nil {
		return nil, err
	}
	changes, err := publicgroup.Register(r.service.cfg.group(&policy), b.GroupInfo, nodes)
	if err != nil {
		return nil, err
	}
	if err := r.service.cfg.checkNewPolicy(&policy, nodes[0].Leaf); err != nil {
		return nil, err
	}
	g.profile = policy.Profile
	if err := g.begin(); err != nil {
		return nil, err
	}
	if err := (treeStore{g}).Apply(changes); err != nil {
		return nil, err
	}
	if err := g.wrapFor(0, r.GroupStateKey); err != nil {
		return nil, err
	}
	if err := g.addUser(0, nodes[0].Leaf); err != nil {
		return nil, err
	}
	if err := r.mark(0, r.day()); err != nil {
		return nil, err
	}
	if err := g.updateRoster(b.Roster); err != nil {
		return nil, err
	}
	if b.Address != nil {
		if err := g.setAddress(0, b.Address); err != nil {
			return nil, err
		}
	}
	return &wire.Accepted{}, nil
}

func doUpdateAddress(r *request) (mls.Marshaler, error) {
	if err := r.group.setAddress(r.Auth.Leaf, &r.body.(*wire.UpdateAddress).Address); err != nil {
		return nil, err
	}
	return r.accepted(), nil
}

// accepted tells the epoch and the sequence number as they will be.
func (r *request) accepted() *wire.Accepted {
	return &wire.Accepted{Epoch: r.group.header.group.Context.Epoch, Sequence: r.sequence(len(r.group.messages) > 0)}
}

// doWelcomeInfo gives a joiner the tree of its epoch. The record stays until the
// epoch is released: a joiner that loses the answer asks again.
func doWelcomeInfo(r *request) (mls.Marshaler, error) {
	c, t, err := r.group.openJoin(r.GroupStateKey, r.Auth.KeyID)
	if err != nil {
		return nil, err
	}
	nodes, err := t.Export()
	if err != nil {
		return nil, err
	}
	encoded, err := mls.Marshal(&nodes)
	if err != nil {
		return nil, err
	}
	roster, err := r.group.roster(c.rosterGeneration, c.rosterParts)
	if err != nil {
		return nil, err
	}
	return &wire.WelcomeInfo{Epoch: uint64(t.Version()), Leaf: uint32(c.leaf), Tree: encoded, Roster: roster}, nil
}

func doExternalCommitInfo(r *request) (mls.Marshaler, error) {
	join, err := r.public.ExternalJoin()
	if err != nil {
		return nil, err
	}
	info, err := mls.Marshal(join.GroupInfo)
	if err != nil {
		return nil, err
	}
	out := &wire.ExternalCommitInfo{GroupInfo: info, SelfRemoves: join.SelfRemoves}
	present := r.group.presentRoster()
	if out.Roster, err = r.group.roster(present.number, present.parts); err != nil {
		return nil, err
	}
	if join.Tree != nil {
		if out.Tree, err = mls.Marshal(&join.Tree); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// begin draws the keys of a new group.
func (s *session) begin() error {
	keys, err := atrest.New(s.id[:], s.rand)
	if err != nil {
		return err
	}
	s.keys = keys
	b := make([]byte, indexKeySize)
	if _, err := io.ReadFull(s.rand, b); err != nil {
		return err
	}
	s.header.indexKey = secret.New(b)
	return nil
}
