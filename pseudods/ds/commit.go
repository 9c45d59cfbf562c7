package ds

import (
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// doCommit carries out every operation that is a commit. The order matters: the
// addresses of those who leave are read before they are forgotten, since they
// get the commit that removes them; a new generation begins before anything of
// the new epoch is sealed.
func doCommit(r *request) (mls.Marshaler, error) {
	b, g := r.body.(*wire.GroupCommit), r.group
	staged, err := r.public.StageCommit(&publicgroup.Bundle{Commit: b.Commit, Welcome: b.Welcome,
		GroupInfo: b.GroupInfo, PartialGroupInfo: b.PartialGroupInfo}, r.now)
	if err != nil {
		return nil, err
	}
	if err := r.checkIntent(b.Commit, staged); err != nil {
		return nil, err
	}
	r.staged = staged
	e := staged.Effects
	if len(b.Joiners) != len(e.Added) || (b.Address != nil) && !e.External {
		return nil, &wire.Error{Code: wire.CodeMalformed}
	}
	out := r.newFanout()
	if err := out.toAll(&wire.Fanout{Kind: wire.FanoutCommit, Message: b.Commit, Roster: b.Roster}); err != nil {
		return nil, err
	}
	if len(e.Removed) > 0 {
		if err := g.newGeneration(); err != nil {
			return nil, err
		}
	}
	if err := (treeStore{g}).Apply(staged.Changes); err != nil {
		return nil, err
	}
	g.noteOutcome(b.Commit)
	if err := g.wrapFor(g.header.group.Context.Epoch, b.NextKey); err != nil {
		return nil, err
	}
	if err := r.updateMembers(b, staged); err != nil {
		return nil, err
	}
	if err := g.updateRoster(b.Roster); err != nil {
		return nil, err
	}
	if err := r.welcome(b, staged, out); err != nil {
		return nil, err
	}
	if err := out.finish(); err != nil {
		return nil, err
	}
	return r.accepted(), nil
}

// updateMembers follows the commit in the addresses and the leaves of users.
func (r *request) updateMembers(b *wire.GroupCommit, staged *publicgroup.StagedCommit) error {
	g, e := r.group, staged.Effects
	for _, c := range e.Removed {
		if err := g.removeUser(c.Leaf, c.Old); err != nil {
			return err
		}
		if err := g.setAddress(c.Leaf, nil); err != nil {
			return err
		}
		if err := r.mark(c.Leaf, 0); err != nil {
			return err
		}
	}
	for i, c := range e.Added {
		if err := g.addUser(c.Leaf, c.New); err != nil {
			return err
		}
		if err := r.mark(c.Leaf, r.day()); err != nil {
			return err
		}
		address, err := queueAddress(e.KeyPackages[i])
		if err != nil {
			return err
		}
		if address == nil {
			continue
		}
		if err := g.setAddress(c.Leaf, &wire.MemberAddress{Address: address.Address, Secret: b.Joiners[i].Secret}); err != nil {
			return err
		}
	}
	if !e.External {
		return nil
	}
	leaf, err := e.Edit.Leaf(e.Committer)
	if err != nil {
		return err
	}
	if err := g.addUser(e.Committer, leaf); err != nil {
		return err
	}
	if err := r.mark(e.Committer, r.day()); err != nil {
		return err
	}
	return g.setAddress(e.Committer, b.Address)
}

// queueAddress returns the address in a KeyPackage, nil if it has none.
func queueAddress(p *mls.KeyPackage) (*wire.KeyPackageAddress, error) {
	a := new(wire.KeyPackageAddress)
	if ok, err := p.Extensions.Decode(wire.ExtensionQueueAddress, a); err != nil || !ok {
		return nil, err
	}
	return a, nil
}

// welcome sends each new member its own part of the Welcome, and notes what it
// will ask for.
func (r *request) welcome(b *wire.GroupCommit, staged *publicgroup.StagedCommit, out *fanout) error {
	e := staged.Effects
	contents := make([]joinContent, len(e.Added))
	h, roster := &r.group.header.group, r.group.presentRoster()
	for i, c := range e.Added {
		contents[i] = joinContent{h.Context.CipherSuite, h.Tree.Size, h.Tree.Hash, c.Leaf, c.New.SignatureKey, roster.number, roster.parts}
		address, err := queueAddress(e.KeyPackages[i])
		if err != nil {
			return err
		}
		if address == nil {
			continue
		}
		own := mls.Welcome{CipherSuite: staged.Welcome.CipherSuite, EncryptedGroupInfo: staged.Welcome.EncryptedGroupInfo}
		for _, s := range staged.Welcome.Secrets {
			if string(s.NewMember) == string(staged.KeyPackages[i]) {
				own.Secrets = append(own.Secrets, s)
			}
		}
		message, err := mls.Marshal(&mls.Message{WireFormat: mls.WireFormatWelcome, Welcome: &own})
		if err != nil {
			return err
		}
		f := &wire.Fanout{Kind: wire.FanoutWelcome, Message: message, JoinInfo: b.Joiners[i].JoinInfo}
		if err := out.toJoiner(f, c.Leaf, address, b.Joiners[i].Secret); err != nil {
			return err
		}
	}
	return r.group.addJoins(b.NextKey, staged.KeyPackages, contents)
}
