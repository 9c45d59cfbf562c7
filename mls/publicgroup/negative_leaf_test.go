package publicgroup_test

import (
	"errors"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

// badAdd proposes a client whose KeyPackage was changed before it was signed.
func (s *scene) badAdd(hook func(*mls.KeyPackage)) func() error {
	c := s.client()
	hook(c.keyPackage)
	return s.badProposal(member(0), c.sign().add())
}

func (s *scene) badUpdate(hook func(*mls.LeafNode)) func() error {
	return s.badProposal(member(1), s.update(1, hook))
}

// badPath commits with a path whose leaf was changed, and signed again unless
// the change is to the signature.
func (s *scene) badPath(resign bool, hook func(*mls.LeafNode)) func() error {
	return s.bad(commit{commit: func(c *mls.Commit) {
		hook(&c.Path.LeafNode)
		if resign {
			s.resign(&c.Path.LeafNode, 0)
		}
	}})
}

func (s *scene) resign(leaf *mls.LeafNode, l mls.LeafIndex) {
	s.ok(leaf.Sign(s.keys[l], s.group.Context().GroupID, l))
}

func flip(b []byte) []byte {
	c := append([]byte{}, b...)
	c[len(c)-1] ^= 1
	return c
}

// custom types that the members of a scene do not support.
const (
	customExtension  = mls.ExtensionType(0xf001)
	customProposal   = mls.ProposalType(0xf001)
	customCredential = mls.CredentialType(0xf001)
)

// requiring returns the group's extensions with required capabilities.
func (s *scene) requiring(r mls.RequiredCapabilities) *mls.Proposal {
	es := must(s.group.Context().Extensions.With(mls.ExtensionTypeRequiredCapabilities, &r))
	return &mls.Proposal{Type: mls.ProposalTypeGroupContextExtensions, GroupContextExtensions: es}
}

var errHook = errors.New("not this one")

func refuseLeaves(c *publicgroup.Config) {
	c.CheckLeaf = func(_, leaf *mls.LeafNode) error {
		if string(leaf.Credential.Identity) == "villain" {
			return errHook
		}
		return nil
	}
}

func villain(l *mls.LeafNode) { l.Credential = mls.BasicCredential([]byte("villain")) }

func refuseSuccessors(c *publicgroup.Config) {
	c.Rules = &epoch.Rules{Successor: func(old, new *mls.LeafNode) bool { return old.Credential.Equal(&new.Credential) }}
}

var leafNegatives = []negative{
	{"L1", "of an Add", nil, func(s *scene) func() error {
		c := s.client()
		c.keyPackage.LeafNode.Signature = flip(c.keyPackage.LeafNode.Signature)
		s.ok(c.keyPackage.Sign(c.key))
		return s.badProposal(member(0), c.add())
	}, mls.ErrSignature, false},
	{"L1", "of an Update", nil, func(s *scene) func() error {
		p := s.update(1, nil)
		p.Update.Signature = flip(p.Update.Signature)
		return s.badProposal(member(1), p)
	}, mls.ErrSignature, false},
	{"L1", "of an Update for another leaf", nil, func(s *scene) func() error {
		p := s.update(1, nil)
		s.ok(p.Update.Sign(s.keys[1], s.group.Context().GroupID, 2))
		return s.badProposal(member(1), p)
	}, mls.ErrSignature, false},
	{"L1", "of an Update for another group", nil, func(s *scene) func() error {
		p := s.update(1, nil)
		s.ok(p.Update.Sign(s.keys[1], []byte("other"), 1))
		return s.badProposal(member(1), p)
	}, mls.ErrSignature, false},
	{"L1", "of a path", nil, func(s *scene) func() error {
		return s.badPath(false, func(l *mls.LeafNode) { l.Signature = flip(l.Signature) })
	}, mls.ErrSignature, false},
	{"L2", "update in an Add", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.LeafNode.Source = mls.LeafNodeSourceUpdate })
	}, mls.ErrLeafNode, false},
	{"L2", "key_package in an Update", nil, func(s *scene) func() error {
		return s.badUpdate(func(l *mls.LeafNode) { l.Source = mls.LeafNodeSourceKeyPackage })
	}, mls.ErrLeafNode, false},
	{"L2", "commit in an Update", nil, func(s *scene) func() error {
		return s.badUpdate(func(l *mls.LeafNode) { l.Source = mls.LeafNodeSourceCommit })
	}, mls.ErrLeafNode, false},
	{"L2", "update in a path", nil, func(s *scene) func() error {
		return s.badPath(true, func(l *mls.LeafNode) { l.Source = mls.LeafNodeSourceUpdate })
	}, mls.ErrLeafNode, false},
	{"L3", "encryption key of an Add", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.LeafNode.EncryptionKey = []byte("short") })
	}, mls.ErrPublicKey, false},
	{"L3", "signature key of an Add", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.LeafNode.SignatureKey = []byte("short") })
	}, mls.ErrPublicKey, false},
	{"L3", "encryption key of an Update", nil, func(s *scene) func() error {
		return s.badUpdate(func(l *mls.LeafNode) { l.EncryptionKey = nil })
	}, mls.ErrPublicKey, false},
	{"L3", "encryption key of a path", nil, func(s *scene) func() error {
		return s.badPath(true, func(l *mls.LeafNode) { l.EncryptionKey = l.EncryptionKey[1:] })
	}, mls.ErrPublicKey, false},
	{"L3", "of small order in an Update", nil, func(s *scene) func() error {
		return s.badUpdate(func(l *mls.LeafNode) { l.EncryptionKey = make([]byte, 32) })
	}, mls.ErrPublicKey, false},
	{"L4", "no version", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.LeafNode.Capabilities.Versions = nil })
	}, mls.ErrLeafNode, false},
	{"L5", "credential", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) {
			k.LeafNode.Capabilities.Credentials = []mls.CredentialType{mls.CredentialTypeX509}
		})
	}, mls.ErrLeafNode, false},
	{"L5", "extension", nil, func(s *scene) func() error {
		return s.badUpdate(func(l *mls.LeafNode) { l.Extensions = mls.Extensions{{Type: customExtension}} })
	}, mls.ErrLeafNode, false},
	{"L6", "application_id twice", nil, func(s *scene) func() error {
		id := mls.Extension{Type: mls.ExtensionTypeApplicationID}
		return s.badPath(true, func(l *mls.LeafNode) { l.Extensions = mls.Extensions{id, id} })
	}, mls.ErrExtension, false},
	{"L7", "an Update with another's", nil, func(s *scene) func() error {
		p := s.update(1, func(l *mls.LeafNode) { l.SignatureKey = s.keys[2].Public() })
		s.ok(p.Update.Sign(s.keys[2], s.group.Context().GroupID, 1))
		return s.bad(commit{refs: []mls.ProposalRef{s.propose(member(1), p)}, doomed: true})
	}, epoch.ErrDuplicate, false},
	{"L7", "a path with another's", nil, func(s *scene) func() error {
		return s.bad(commit{commit: func(c *mls.Commit) {
			c.Path.LeafNode.SignatureKey = s.keys[2].Public()
			s.ok(c.Path.LeafNode.Sign(s.keys[2], s.group.Context().GroupID, 0))
		}})
	}, epoch.ErrDuplicate, false},
	{"L8", "two Adds with one", lenient, func(s *scene) func() error {
		a, b := s.client(), s.client()
		b.keyPackage.LeafNode.EncryptionKey = a.keyPackage.LeafNode.EncryptionKey
		c := with(a.add(), b.sign().add())
		c.noPath = true
		c.values = []*mls.Proposal{s.psk("x")}
		return s.bad(c)
	}, epoch.ErrDuplicate, false},
	{"L8", "an Add with a parent's", lenient, func(s *scene) func() error {
		a := s.client()
		a.keyPackage.LeafNode.EncryptionKey = must(s.group.Tree().Parent(1)).EncryptionKey
		return s.bad(s.pathless(a.sign().add()))
	}, epoch.ErrDuplicate, false},
	{"L9", "an extension", nil, func(s *scene) func() error {
		return s.bad(with(s.requiring(mls.RequiredCapabilities{Extensions: []mls.ExtensionType{customExtension}})))
	}, epoch.ErrUnsupportedExtension, false},
	{"L9", "a proposal type", nil, func(s *scene) func() error {
		return s.bad(with(s.requiring(mls.RequiredCapabilities{Proposals: []mls.ProposalType{customProposal}})))
	}, epoch.ErrRequiredProposal, false},
	{"L9", "a credential type", nil, func(s *scene) func() error {
		return s.bad(with(s.requiring(mls.RequiredCapabilities{Credentials: []mls.CredentialType{mls.CredentialTypeX509}})))
	}, epoch.ErrUnsupportedCredential, false},
	{"L9", "of a newcomer", lenient, func(s *scene) func() error {
		s.commit(commit{values: []*mls.Proposal{s.requiring(mls.RequiredCapabilities{Proposals: []mls.ProposalType{mls.ProposalTypeSelfRemove}})}})
		a := s.client()
		a.keyPackage.LeafNode.Capabilities.Proposals = nil
		return s.bad(s.pathless(a.sign().add()))
	}, epoch.ErrRequiredProposal, false},
	{"L9", "of a joiner", nil, func(s *scene) func() error {
		s.commit(commit{values: []*mls.Proposal{s.requiring(mls.RequiredCapabilities{Proposals: []mls.ProposalType{mls.ProposalTypeSelfRemove}})}})
		return s.bad(s.joinAs(func(l *mls.LeafNode) { l.Capabilities.Proposals = nil }))
	}, epoch.ErrRequiredProposal, false},
	{"L10", "a newcomer's", lenient, func(s *scene) func() error {
		a := s.client()
		a.keyPackage.LeafNode.Credential = mls.Credential{Type: customCredential}
		a.keyPackage.LeafNode.Capabilities.Credentials = []mls.CredentialType{mls.CredentialTypeBasic, customCredential}
		return s.bad(s.pathless(a.sign().add()))
	}, epoch.ErrUnsupportedCredential, false},
	{"L10", "the others'", lenient, func(s *scene) func() error {
		a := s.client()
		a.keyPackage.LeafNode.Credential = mls.Credential{Type: customCredential}
		a.keyPackage.LeafNode.Capabilities.Credentials = []mls.CredentialType{customCredential}
		return s.bad(s.pathless(a.sign().add()))
	}, epoch.ErrUnsupportedCredential, false},
	{"L11", "a new extension", nil, func(s *scene) func() error {
		es := append(s.group.Context().Extensions[:1:1], mls.Extension{Type: customExtension})
		return s.bad(with(&mls.Proposal{Type: mls.ProposalTypeGroupContextExtensions, GroupContextExtensions: es}))
	}, epoch.ErrUnsupportedExtension, false},
	{"L11", "a newcomer", lenient, func(s *scene) func() error {
		s.dictionary()
		a := s.client()
		a.keyPackage.LeafNode.Capabilities.Extensions = nil
		return s.bad(s.pathless(a.sign().add()))
	}, epoch.ErrUnsupportedExtension, false},
	{"L11", "a joiner", nil, func(s *scene) func() error {
		s.dictionary()
		return s.bad(s.joinAs(func(l *mls.LeafNode) { l.Capabilities.Extensions = nil }))
	}, epoch.ErrUnsupportedExtension, false},
	{"L12", "expired", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.LeafNode.Lifetime.NotAfter = uint64(now.Unix()) - 1 })
	}, publicgroup.ErrLifetime, false},
	{"L12", "not yet", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.LeafNode.Lifetime.NotBefore = uint64(now.Unix()) + 1 })
	}, publicgroup.ErrLifetime, false},
	{"L12", "too long", func(c *publicgroup.Config) { c.MaxLifetime = 2 * time.Hour }, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.LeafNode.Lifetime.NotAfter++ })
	}, publicgroup.ErrLifetime, false},
	{"L12", "in a commit", lenient, func(s *scene) func() error {
		a := s.client()
		a.keyPackage.LeafNode.Lifetime = mls.Lifetime{}
		return s.bad(s.pathless(a.sign().add()))
	}, publicgroup.ErrLifetime, false},
	{"L13", "of an Add", refuseLeaves, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { villain(&k.LeafNode) })
	}, publicgroup.ErrLeafRefused, false},
	{"L13", "of an Update", refuseLeaves, func(s *scene) func() error {
		return s.badUpdate(villain)
	}, errHook, false},
	{"L13", "of an Add in a commit", refuseLeaves, func(s *scene) func() error {
		a := s.client()
		villain(&a.keyPackage.LeafNode)
		c := commit{values: []*mls.Proposal{a.sign().add()}}
		return s.bad(c)
	}, publicgroup.ErrLeafRefused, false},
	{"L13", "of a path", refuseLeaves, func(s *scene) func() error {
		return s.bad(commit{template: villain})
	}, publicgroup.ErrLeafRefused, false},
	{"L13", "of a joiner", refuseLeaves, func(s *scene) func() error {
		return s.bad(s.joinAs(villain))
	}, publicgroup.ErrLeafRefused, false},
	{"L14", "of an Update", refuseSuccessors, func(s *scene) func() error {
		return s.bad(naming(s.propose(member(1), s.update(1, villain))))
	}, epoch.ErrReplaced, false},
	{"L14", "of a path", refuseSuccessors, func(s *scene) func() error {
		return s.badPath(true, villain)
	}, epoch.ErrReplaced, false},
	{"L15", "of several newcomers", lenient, func(s *scene) func() error {
		var adds []*mls.Proposal
		for i := 0; i <= tree.MaxTypes; i += 50 {
			c := s.client()
			for j := range 50 {
				c.keyPackage.LeafNode.Capabilities.Extensions = append(c.keyPackage.LeafNode.Capabilities.Extensions, mls.ExtensionType(0x4000+i+j))
			}
			adds = append(adds, c.sign().add())
		}
		return s.bad(s.pathless(adds...))
	}, tree.ErrCensus, false},
	{"L15", "more than one leaf may list", nil, func(s *scene) func() error {
		return s.badUpdate(func(l *mls.LeafNode) {
			for i := range mls.ExtensionType(130) {
				l.Capabilities.Extensions = append(l.Capabilities.Extensions, 0x4000+i)
			}
		})
	}, mls.ErrLeafNode, false},
	{"L15", "more than anybody lists", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) {
			for i := range mls.ExtensionType(2000) {
				k.LeafNode.Capabilities.Extensions = append(k.LeafNode.Capabilities.Extensions, 0x4000+i)
			}
		})
	}, mls.ErrMalformed, false},
}

// pathless makes a commit without a path that ends in additions which were not
// applied when its GroupInfo was made.
func (s *scene) pathless(ps ...*mls.Proposal) commit {
	c := with(ps...)
	c.noPath, c.values = true, []*mls.Proposal{s.psk("any")}
	return c
}

// joinAs makes an external commit with a path whose leaf was changed.
func (s *scene) joinAs(hook func(*mls.LeafNode)) commit {
	joiner := s.client()
	c := s.join(joiner)
	c.commit = func(c *mls.Commit) {
		hook(&c.Path.LeafNode)
		s.ok(c.Path.LeafNode.Sign(joiner.key, s.group.Context().GroupID, 3))
	}
	return c
}

// dictionary gives the group an app_data_dictionary with one component.
func (s *scene) dictionary() {
	es := must(s.group.Context().Extensions.With(mls.ExtensionTypeAppDataDictionary, &mls.AppDataDictionary{{ID: 7, Data: []byte("x")}}))
	es = must(es.With(mls.ExtensionTypeRequiredCapabilities, &mls.RequiredCapabilities{
		Proposals: []mls.ProposalType{mls.ProposalTypeAppDataUpdate}}))
	s.commit(commit{values: []*mls.Proposal{{Type: mls.ProposalTypeGroupContextExtensions, GroupContextExtensions: es}}})
}

var keyPackageNegatives = []negative{
	{"K1", "version", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.Version = 2 })
	}, mls.ErrKeyPackage, false},
	{"K1", "suite", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.CipherSuite = mls.X25519ChaCha20Poly1305 })
	}, mls.ErrKeyPackage, false},
	{"K2", "of a newcomer who proposes itself", nil, func(s *scene) func() error {
		c := s.client()
		c.keyPackage.LeafNode.Capabilities.Versions = nil
		s.keys[99] = c.key
		from := mls.Sender{Type: mls.SenderTypeNewMemberProposal, Leaf: 99}
		call := s.badProposal(from, c.sign().add())
		delete(s.keys, 99)
		return call
	}, mls.ErrLeafNode, false},
	{"K3", "changed", nil, func(s *scene) func() error {
		c := s.client()
		c.keyPackage.Signature = flip(c.keyPackage.Signature)
		return s.badProposal(outside, c.add())
	}, mls.ErrSignature, false},
	{"K3", "by another", nil, func(s *scene) func() error {
		c := s.client()
		s.ok(c.keyPackage.Sign(s.keys[0]))
		return s.badProposal(member(0), c.add())
	}, mls.ErrSignature, false},
	{"K4", "the leaf's", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.InitKey = k.LeafNode.EncryptionKey })
	}, mls.ErrKeyPackage, false},
	{"K4", "malformed", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.InitKey = nil })
	}, mls.ErrPublicKey, false},
	{"K4", "of small order", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) { k.InitKey = make([]byte, 32) })
	}, mls.ErrPublicKey, false},
	{"K5", "last_resort twice", nil, func(s *scene) func() error {
		return s.badAdd(func(k *mls.KeyPackage) {
			k.Extensions = mls.Extensions{{Type: mls.ExtensionTypeLastResort}, {Type: mls.ExtensionTypeLastResort}}
		})
	}, mls.ErrExtension, false},
}
