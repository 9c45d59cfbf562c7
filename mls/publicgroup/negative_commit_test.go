package publicgroup_test

import (
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

var selfRemove = &mls.Proposal{Type: mls.ProposalTypeSelfRemove}

func resumption(s *scene, usage mls.ResumptionPSKUsage) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypePSK, PSK: &mls.PreSharedKeyID{Type: mls.PSKTypeResumption, Usage: usage,
		GroupID: []byte("group"), Nonce: s.bytes()}}
}

func extensions(es ...mls.Extension) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypeGroupContextExtensions, GroupContextExtensions: es}
}

func appData(id mls.ComponentID, op mls.AppDataUpdateOperation) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypeAppDataUpdate, AppDataUpdate: &mls.AppDataUpdate{ID: id, Operation: op, Update: []byte("new")}}
}

var proposalNegatives = []negative{
	{"P1", "same key", nil, func(s *scene) func() error {
		return s.badUpdate(func(l *mls.LeafNode) { l.EncryptionKey = must(s.group.Leaf(1)).EncryptionKey })
	}, epoch.ErrUpdateKey, false},
	{"P2", "blank", nil, func(s *scene) func() error { return s.badProposal(member(0), remove(3)) }, epoch.ErrRemoveBlank, false},
	{"P2", "outside the tree", nil, func(s *scene) func() error { return s.badProposal(outside, remove(8)) }, epoch.ErrRemoveBlank, false},
	{"P3", "none", nil, func(s *scene) func() error {
		p := s.psk("x")
		p.PSK.Nonce = nil
		return s.badProposal(member(0), p)
	}, epoch.ErrPSKNonce, false},
	{"P4", "reinit", nil, func(s *scene) func() error {
		return s.badProposal(member(0), resumption(s, mls.ResumptionPSKUsageReInit))
	}, epoch.ErrPSKUsage, false},
	{"P4", "branch", nil, func(s *scene) func() error {
		return s.badProposal(member(0), resumption(s, mls.ResumptionPSKUsageBranch))
	}, epoch.ErrPSKUsage, false},
	{"P5", "version 0", nil, func(s *scene) func() error {
		return s.badProposal(member(0), &mls.Proposal{Type: mls.ProposalTypeReInit, ReInit: &mls.ReInit{CipherSuite: s.suite.ID()}})
	}, epoch.ErrReInitVersion, false},
	{"P6", "twice", nil, func(s *scene) func() error {
		e := mls.Extension{Type: customExtension}
		return s.badProposal(member(0), extensions(e, e))
	}, epoch.ErrGroupExtension, false},
	{"P6", "ratchet_tree", nil, func(s *scene) func() error {
		return s.badProposal(member(0), extensions(mls.Extension{Type: mls.ExtensionTypeRatchetTree}))
	}, epoch.ErrGroupExtension, false},
	{"P6", "external_pub", nil, func(s *scene) func() error {
		return s.badProposal(member(0), extensions(mls.Extension{Type: mls.ExtensionTypeExternalPub}))
	}, epoch.ErrGroupExtension, false},
	{"P6", "external_senders malformed", nil, func(s *scene) func() error {
		return s.badProposal(member(0), extensions(mls.Extension{Type: mls.ExtensionTypeExternalSenders, Data: []byte{1}}))
	}, epoch.ErrGroupExtension, false},
	{"P6", "external_senders with a malformed key", nil, func(s *scene) func() error {
		es := must(mls.Extensions{}.With(mls.ExtensionTypeExternalSenders, &mls.ExternalSenders{{SignatureKey: []byte("short"),
			Credential: mls.BasicCredential(nil)}}))
		return s.badProposal(member(0), extensions(es...))
	}, epoch.ErrGroupExtension, false},
	{"P6", "required_capabilities malformed", nil, func(s *scene) func() error {
		return s.badProposal(member(0), extensions(mls.Extension{Type: mls.ExtensionTypeRequiredCapabilities}))
	}, epoch.ErrGroupExtension, false},
	{"P7", "dropped", nil, func(s *scene) func() error {
		s.dictionary()
		return s.badProposal(member(0), extensions())
	}, epoch.ErrAppDataDictionary, false},
	{"P8", "removal of nothing", nil, func(s *scene) func() error {
		s.dictionary()
		return s.bad(with(appData(8, mls.AppDataUpdateRemove)))
	}, epoch.ErrAppData, false},
	{"P8", "refused by the application", func(c *publicgroup.Config) {
		c.Rules = &epoch.Rules{AppData: func(mls.ComponentID, []byte, [][]byte) ([]byte, bool) { return nil, false }}
	}, func(s *scene) func() error {
		s.dictionary()
		return s.bad(with(appData(7, mls.AppDataUpdateSet)))
	}, epoch.ErrAppData, false},
	{"P9", "by value", nil, func(s *scene) func() error { return s.bad(with(selfRemove)) }, epoch.ErrSelfRemoveByValue, false},
	{"P9", "from an external sender", nil, func(s *scene) func() error {
		return s.badProposal(outside, selfRemove)
	}, mls.ErrSender, false},
	{"P10", "with other authenticated data", nil, func(s *scene) func() error {
		s.propose(member(1), selfRemove)
		return s.stageProposal(s.proposal(member(1), selfRemove, func(a *mls.AuthenticatedContent) {
			a.Content.AuthenticatedData = []byte("again")
		}))
	}, publicgroup.ErrSecondSelfRemove, false},
	{"P11", "again", nil, func(s *scene) func() error {
		p := s.update(1, nil)
		s.propose(member(1), p)
		return s.badProposal(member(1), p)
	}, publicgroup.ErrKnownProposal, false},
	{"P12", "of an epoch", func(c *publicgroup.Config) { c.MaxProposals = 2 }, func(s *scene) func() error {
		s.propose(member(1), s.psk("x"))
		s.propose(member(2), s.psk("y"))
		return s.badProposal(member(4), s.psk("z"))
	}, publicgroup.ErrTooManyProposals, false},
	{"P12", "in octets", func(c *publicgroup.Config) { c.MaxProposalOctets = 2000 }, func(s *scene) func() error {
		large := func(l mls.LeafIndex) []byte {
			return s.proposal(member(l), s.psk("x"), func(a *mls.AuthenticatedContent) { a.Content.AuthenticatedData = make([]byte, 900) })
		}
		s.apply(must(s.group.StageProposal(large(1), now)).Changes)
		return s.stageProposal(large(2))
	}, publicgroup.ErrTooManyProposals, false},
	{"P12", "of a member", func(c *publicgroup.Config) { c.MaxProposalsPerSender = 1 }, func(s *scene) func() error {
		s.propose(member(1), s.psk("x"))
		s.propose(member(2), s.psk("y"))
		return s.badProposal(member(1), s.psk("z"))
	}, publicgroup.ErrSenderProposals, false},
	{"P12", "of an external sender", func(c *publicgroup.Config) { c.MaxProposalsPerSender = 1 }, func(s *scene) func() error {
		s.propose(outside, s.psk("x"))
		return s.badProposal(outside, s.psk("z"))
	}, publicgroup.ErrSenderProposals, false},
}

var commitNegatives = []negative{
	{"C1", "never seen", nil, func(s *scene) func() error {
		ref := mls.ProposalRef(s.bytes())
		call := s.bad(naming(ref))
		return func() error {
			err := call()
			var unknown *publicgroup.UnknownProposalsError
			if !errors.As(err, &unknown) || len(unknown.Refs) != 1 || !unknown.Refs[0].Equal(ref) {
				return errNotTold
			}
			return err
		}
	}, publicgroup.ErrUnknownProposal, false},
	{"C1", "of the epoch before", nil, func(s *scene) func() error {
		ref := s.propose(member(1), s.psk("x"))
		s.commit(commit{})
		return s.bad(naming(ref))
	}, publicgroup.ErrUnknownProposal, false},
	{"C2", "twice", nil, func(s *scene) func() error {
		ref := s.propose(member(1), s.psk("x"))
		return s.bad(naming(ref, ref))
	}, publicgroup.ErrRepeatedProposal, false},
	{"C3", "a Remove of a blank leaf", nil, func(s *scene) func() error { return s.bad(with(remove(3))) }, epoch.ErrRemoveBlank, false},
	{"C3", "an Add with a bad signature", lenient, func(s *scene) func() error {
		c := s.client()
		c.keyPackage.Signature = flip(c.keyPackage.Signature)
		return s.bad(with(c.add()))
	}, mls.ErrSignature, false},
	{"C4", "by value", nil, func(s *scene) func() error { return s.bad(with(s.update(0, nil))) }, epoch.ErrCommitterUpdate, false},
	{"C4", "by reference", nil, func(s *scene) func() error {
		return s.bad(naming(s.propose(member(0), s.update(0, nil))))
	}, epoch.ErrCommitterUpdate, false},
	{"C5", "Remove", nil, func(s *scene) func() error { return s.bad(with(remove(0))) }, epoch.ErrCommitterRemoved, false},
	{"C5", "SelfRemove", nil, func(s *scene) func() error {
		return s.bad(naming(s.propose(member(0), selfRemove)))
	}, epoch.ErrCommitterRemoved, false},
	{"C6", "two Removes", nil, func(s *scene) func() error { return s.bad(with(remove(1), remove(1))) }, epoch.ErrSameLeaf, false},
	{"C6", "Update and Remove", nil, func(s *scene) func() error {
		c := naming(s.propose(member(1), s.update(1, nil)))
		c.values = []*mls.Proposal{remove(1)}
		return s.bad(c)
	}, epoch.ErrSameLeaf, false},
	{"C6", "SelfRemove and Remove", nil, func(s *scene) func() error {
		c := naming(s.propose(member(1), selfRemove))
		c.values = []*mls.Proposal{remove(1)}
		return s.bad(c)
	}, epoch.ErrSameLeaf, false},
	{"C6", "two Updates", nil, func(s *scene) func() error {
		return s.bad(naming(s.propose(member(1), s.update(1, nil)), s.propose(member(1), s.update(1, nil))))
	}, epoch.ErrSameLeaf, false},
	{"C7", "two KeyPackages", lenient, func(s *scene) func() error {
		a, b := s.client(), s.client()
		b.key, b.keyPackage.LeafNode.SignatureKey = a.key, a.key.Public()
		return s.bad(with(a.add(), b.sign().add()))
	}, epoch.ErrSameClient, false},
	{"C8", "by value", lenient, func(s *scene) func() error {
		a := s.client()
		a.key, a.keyPackage.LeafNode.SignatureKey = s.keys[1], s.keys[1].Public()
		return s.bad(s.pathless(a.sign().add()))
	}, epoch.ErrDuplicate, false},
	{"C9", "one PSK", nil, func(s *scene) func() error {
		p := s.psk("x")
		return s.bad(with(p, p))
	}, epoch.ErrSamePSK, false},
	{"C19", "too many", nil, func(s *scene) func() error {
		var ps []*mls.Proposal
		for i := range epoch.MaxPSKs + 1 {
			ps = append(ps, s.psk(fmt.Sprint(i)))
		}
		return s.bad(with(ps...))
	}, epoch.ErrTooManyPSKs, false},
	{"C20", "proposed", shortExtensions, func(s *scene) func() error {
		return s.badProposal(member(0), extensions(mls.Extension{Type: customExtension, Data: make([]byte, 500)}))
	}, publicgroup.ErrTooLarge, false},
	{"C20", "in a commit", shortExtensions, func(s *scene) func() error {
		s.dictionary()
		p := appData(7, mls.AppDataUpdateSet)
		p.AppDataUpdate.Update = make([]byte, 500)
		return s.bad(commit{values: []*mls.Proposal{p}})
	}, publicgroup.ErrTooLarge, false},
	{"C10", "two", nil, func(s *scene) func() error { return s.bad(with(extensions(), extensions())) }, epoch.ErrTwoGroupExtensions, false},
	{"C11", "with a Remove", nil, func(s *scene) func() error {
		return s.bad(with(remove(1), &mls.Proposal{Type: mls.ProposalTypeReInit, ReInit: &mls.ReInit{Version: mls.MLS10, CipherSuite: s.suite.ID()}}))
	}, epoch.ErrReInitNotAlone, false},
	{"C12", "by value", nil, func(s *scene) func() error { return s.bad(with(s.externalInit())) }, epoch.ErrExternalInit, false},
	{"C13", "unknown", nil, func(s *scene) func() error {
		return s.bad(with(&mls.Proposal{Type: customProposal}))
	}, epoch.ErrUnsupportedProposal, false},
	{"C13", "not known to one", lenient, func(s *scene) func() error {
		old := s.client()
		old.keyPackage.LeafNode.Capabilities.Proposals = nil
		s.commit(commit{}, old.sign())
		return s.badProposal(member(1), selfRemove)
	}, epoch.ErrUnsupportedProposal, false},
	{"C14", "set and removed", nil, func(s *scene) func() error {
		s.dictionary()
		return s.bad(with(appData(7, mls.AppDataUpdateSet), appData(7, mls.AppDataUpdateRemove)))
	}, epoch.ErrAppDataList, false},
	{"C15", "no proposals", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path = nil }})
	}, epoch.ErrPathRequired, false},
	{"C15", "a Remove", nil, func(s *scene) func() error {
		return s.bad(commit{values: []*mls.Proposal{remove(1)}, commit: func(c *mls.Commit) { c.Path = nil }})
	}, epoch.ErrPathRequired, false},
	{"C15", "an Update", nil, func(s *scene) func() error {
		return s.bad(commit{refs: []mls.ProposalRef{s.propose(member(1), s.update(1, nil))}, commit: func(c *mls.Commit) { c.Path = nil }})
	}, epoch.ErrPathRequired, false},
	{"C16", "the third", func(c *publicgroup.Config) { c.MaxPathlessAdds = 2 }, func(s *scene) func() error {
		s.commit(commit{noPath: true}, s.client(), s.client())
		return s.bad(commit{noPath: true, values: []*mls.Proposal{s.client().add()}})
	}, publicgroup.ErrPathWanted, false},
	{"C17", "a SelfRemove", nil, func(s *scene) func() error {
		return s.leavesOut(s.propose(member(1), selfRemove), s.build(commit{}))
	}, publicgroup.ErrPendingProposals, false},
	{"C17", "a SelfRemove, by an external commit", nil, func(s *scene) func() error {
		return s.leavesOut(s.propose(member(1), selfRemove), s.build(s.join(s.client())))
	}, publicgroup.ErrPendingProposals, false},
	{"C17", "an external sender's Remove", nil, func(s *scene) func() error {
		return s.leavesOut(s.propose(outside, remove(1)), s.build(commit{}))
	}, publicgroup.ErrPendingProposals, false},
	{"C17", "by a member who is to go", nil, func(s *scene) func() error {
		ref := s.propose(outside, remove(1))
		return s.leavesOut(ref, s.build(commit{from: 1}))
	}, publicgroup.ErrPendingProposals, false},
	{"C18", "by Adds", func(c *publicgroup.Config) { c.MaxMembers = 6 }, func(s *scene) func() error {
		return s.bad(commit{values: []*mls.Proposal{s.client().add(), s.client().add()}})
	}, publicgroup.ErrTooManyMembers, false},
	{"C18", "by an external join", func(c *publicgroup.Config) { c.MaxMembers = 6 }, func(s *scene) func() error {
		s.commit(commit{}, s.client())
		return s.bad(s.join(s.client()))
	}, publicgroup.ErrTooManyMembers, false},
}

func shortExtensions(c *publicgroup.Config) { c.MaxExtensions = 400 }

// leavesOut makes sure that the error names the proposal that is left out.
func (s *scene) leavesOut(ref mls.ProposalRef, b *publicgroup.Bundle) func() error {
	call := s.stage(b)
	return func() error {
		err := call()
		var pending *publicgroup.PendingProposalsError
		if !errors.As(err, &pending) || len(pending.Refs) != 1 || !pending.Refs[0].Equal(ref) {
			return errNotTold
		}
		return err
	}
}

// rejoin makes the commit by which the client at a leaf comes back.
func (s *scene) rejoin(l mls.LeafIndex, hook func(*mls.LeafNode)) commit {
	again := s.client()
	again.keyPackage.LeafNode.Credential = must(s.group.Leaf(l)).Credential
	c := s.join(again, remove(l))
	c.commit = func(c *mls.Commit) {
		if hook != nil {
			hook(&c.Path.LeafNode)
			s.ok(c.Path.LeafNode.Sign(again.key, s.group.Context().GroupID, l))
		}
	}
	return c
}

var externalNegatives = []negative{
	{"E1", "not allowed", func(c *publicgroup.Config) { c.ExternalJoins = false }, func(s *scene) func() error {
		return s.bad(s.join(s.client()))
	}, publicgroup.ErrExternalCommit, false},
	{"E2", "none", nil, func(s *scene) func() error {
		c := s.join(s.client())
		c.commit = func(c *mls.Commit) { c.Proposals = c.Proposals[1:] }
		return s.bad(c)
	}, epoch.ErrExternalInit, false},
	{"E2", "two", nil, func(s *scene) func() error {
		c := s.join(s.client())
		c.commit = func(c *mls.Commit) { c.Proposals = append(c.Proposals, c.Proposals[0]) }
		return s.bad(c)
	}, epoch.ErrExternalInit, false},
	{"E8", "empty", nil, func(s *scene) func() error {
		c := s.join(s.client())
		c.commit = func(c *mls.Commit) { c.Proposals[0].Proposal = &mls.Proposal{Type: mls.ProposalTypeExternalInit} }
		return s.bad(c)
	}, epoch.ErrKEMOutput, false},
	{"E3", "two", nil, func(s *scene) func() error {
		c := s.rejoin(1, nil)
		c.commit = func(c *mls.Commit) { c.Proposals = append(c.Proposals, mls.ProposalOrRef{Proposal: remove(2)}) }
		return s.bad(c)
	}, epoch.ErrExternalRemove, false},
	{"E3", "of another", nil, func(s *scene) func() error {
		c := s.join(s.client())
		c.commit = func(c *mls.Commit) { c.Proposals = append(c.Proposals, mls.ProposalOrRef{Proposal: remove(2)}) }
		return s.bad(c)
	}, epoch.ErrExternalRemove, false},
	{"E4", "an Add", lenient, func(s *scene) func() error {
		c := s.join(s.client())
		c.commit = func(c *mls.Commit) { c.Proposals = append(c.Proposals, mls.ProposalOrRef{Proposal: s.client().add()}) }
		return s.bad(c)
	}, epoch.ErrExternalList, false},
	{"E4", "an Update", nil, func(s *scene) func() error {
		c := s.join(s.client())
		c.commit = func(c *mls.Commit) { c.Proposals = append(c.Proposals, mls.ProposalOrRef{Proposal: s.update(0, nil)}) }
		return s.bad(c)
	}, epoch.ErrExternalList, false},
	{"E4", "extensions", nil, func(s *scene) func() error {
		c := s.join(s.client())
		c.commit = func(c *mls.Commit) { c.Proposals = append(c.Proposals, mls.ProposalOrRef{Proposal: extensions()}) }
		return s.bad(c)
	}, epoch.ErrExternalList, false},
	{"E5", "to a PSK", nil, func(s *scene) func() error {
		ref := s.propose(member(1), s.psk("x"))
		c := s.join(s.client())
		c.commit = func(c *mls.Commit) { c.Proposals = append(c.Proposals, mls.ProposalOrRef{Ref: ref}) }
		return s.bad(c)
	}, epoch.ErrExternalReference, false},
	{"E6", "none", nil, func(s *scene) func() error {
		c := s.join(s.client())
		c.commit = func(c *mls.Commit) { c.Path = nil }
		return s.bad(c)
	}, epoch.ErrPathRequired, false},
	{"E7", "with the old encryption key", nil, func(s *scene) func() error {
		return s.bad(s.rejoin(1, func(l *mls.LeafNode) { l.EncryptionKey = must(s.group.Leaf(1)).EncryptionKey }))
	}, epoch.ErrUpdateKey, false},
	{"E7", "not a successor", func(c *publicgroup.Config) {
		c.Rules = &epoch.Rules{SameClient: func(_, _ *mls.LeafNode) bool { return true },
			Successor: func(old, new *mls.LeafNode) bool { return old.Credential.Equal(&new.Credential) }}
	}, func(s *scene) func() error {
		return s.bad(s.rejoin(1, villain))
	}, epoch.ErrReplaced, false},
}

var pathNegatives = []negative{
	{"U1", "one less", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes = c.Path.Nodes[1:] }})
	}, tree.ErrPathLength, false},
	{"U1", "one more", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes = append(c.Path.Nodes, c.Path.Nodes[0]) }})
	}, tree.ErrPathLength, false},
	{"U2", "one less", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes[0].EncryptedPathSecret = nil }})
	}, tree.ErrPathCiphertexts, false},
	{"U2", "one more", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) {
			n := &c.Path.Nodes[0]
			n.EncryptedPathSecret = append(n.EncryptedPathSecret, n.EncryptedPathSecret[0])
		}})
	}, tree.ErrPathCiphertexts, false},
	{"U2", "for a member just added", nil, func(s *scene) func() error {
		c := commit{values: []*mls.Proposal{s.client().add()}}
		c.commit = func(c *mls.Commit) {
			n := &c.Path.Nodes[1] // above leaf 3, which the newcomer takes
			n.EncryptedPathSecret = append(n.EncryptedPathSecret, n.EncryptedPathSecret[0])
		}
		return s.bad(c)
	}, tree.ErrPathCiphertexts, false},
	{"U7", "a short ciphertext", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes[0].EncryptedPathSecret[0].Ciphertext = make([]byte, 47) }})
	}, epoch.ErrPathSecret, false},
	{"U7", "another KEM's output", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes[0].EncryptedPathSecret[0].KEMOutput = make([]byte, 65) }})
	}, epoch.ErrPathSecret, false},
	{"U3", "same key", nil, func(s *scene) func() error {
		return s.badPath(true, func(l *mls.LeafNode) { l.EncryptionKey = must(s.group.Leaf(0)).EncryptionKey })
	}, tree.ErrKeyReused, false},
	{"U4", "another leaf's at the leaf", nil, func(s *scene) func() error {
		return s.badPath(true, func(l *mls.LeafNode) { l.EncryptionKey = must(s.group.Leaf(1)).EncryptionKey })
	}, tree.ErrDuplicateKey, false},
	{"U4", "another leaf's at a parent", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes[0].EncryptionKey = must(s.group.Leaf(1)).EncryptionKey }})
	}, tree.ErrDuplicateKey, false},
	{"U4", "the node's own before", nil, func(s *scene) func() error {
		s.commit(commit{})
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes[0].EncryptionKey = must(s.group.Tree().Parent(1)).EncryptionKey }})
	}, tree.ErrDuplicateKey, false},
	{"U4", "twice in the path", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes[0].EncryptionKey = c.Path.Nodes[1].EncryptionKey }})
	}, tree.ErrDuplicateKey, false},
	{"U5", "at a parent", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes[0].EncryptionKey = []byte("short") }})
	}, mls.ErrPublicKey, false},
	{"U6", "the leaf's", nil, func(s *scene) func() error {
		return s.badPath(true, func(l *mls.LeafNode) { l.ParentHash = s.bytes() })
	}, tree.ErrParentHash, false},
	{"U6", "another key on the way", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) { c.Path.Nodes[1].EncryptionKey = s.client().keyPackage.InitKey }})
	}, tree.ErrParentHash, false},
}
