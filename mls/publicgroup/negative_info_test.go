package publicgroup_test

import (
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

// badInfo commits with a GroupInfo that was changed before it was signed.
func (s *scene) badInfo(hook func(*mls.GroupInfo)) func() error {
	return s.bad(commit{groupInfo: hook})
}

// inline puts a tree into a GroupInfo.
func inline(nodes mls.RatchetTree) func(*mls.GroupInfo) {
	return func(g *mls.GroupInfo) { g.Extensions = must(g.Extensions.With(mls.ExtensionTypeRatchetTree, &nodes)) }
}

func noInline(c *publicgroup.Config) { c.InlineTree = false }

var groupInfoNegatives = []negative{
	{"G1", "none", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.GroupInfo = nil
		return s.stage(b)
	}, publicgroup.ErrGroupInfoMissing, false},
	{"G1", "two", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.PartialGroupInfo = []byte{0}
		return s.stage(b)
	}, publicgroup.ErrGroupInfoTwice, false},
	{"G1", "none to replace the one before", nil, func(s *scene) func() error {
		return s.replace(0, nil, nil)
	}, publicgroup.ErrGroupInfoMissing, false},
	{"G2", "an octet more", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.GroupInfo = append(b.GroupInfo, 0)
		return s.stage(b)
	}, mls.ErrMalformed, false},
	{"G2", "another message", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.GroupInfo = b.Commit
		return s.stage(b)
	}, publicgroup.ErrGroupInfo, false},
	{"G2", "a malformed partial one", nil, func(s *scene) func() error {
		b := s.build(commit{partial: true})
		b.PartialGroupInfo = b.PartialGroupInfo[1:]
		return s.stage(b)
	}, publicgroup.ErrGroupInfo, false},
	{"G3", "another tree hash", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) { g.GroupContext.TreeHash = s.bytes() })
	}, publicgroup.ErrGroupInfoContext, false},
	{"G3", "the epoch before", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) { g.GroupContext = *s.group.Context() })
	}, publicgroup.ErrGroupInfoContext, false},
	{"G3", "a provisional transcript", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) {
			g.GroupContext.ConfirmedTranscriptHash = s.group.Context().ConfirmedTranscriptHash
		})
	}, publicgroup.ErrGroupInfoContext, false},
	{"G4", "another", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) { g.ConfirmationTag = s.bytes() })
	}, publicgroup.ErrGroupInfoTag, false},
	{"G5", "another signer", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) { g.Signer = 1 })
	}, publicgroup.ErrGroupInfoSigner, false},
	{"G5", "changed", nil, func(s *scene) func() error {
		return s.bad(commit{signed: func(g *mls.GroupInfo) { g.Signature = flip(g.Signature) }})
	}, publicgroup.ErrGroupInfoSignature, false},
	{"G5", "by another", nil, func(s *scene) func() error {
		return s.bad(commit{signed: func(g *mls.GroupInfo) { s.ok(g.Sign(s.keys[1])) }})
	}, mls.ErrSignature, false},
	{"G5", "a partial one over something else", nil, func(s *scene) func() error {
		return s.bad(commit{partial: true, groupInfo: func(g *mls.GroupInfo) { g.GroupContext.TreeHash = s.bytes() }})
	}, publicgroup.ErrGroupInfoSignature, false},
	{"G5", "of a joiner by another", nil, func(s *scene) func() error {
		c := s.join(s.client())
		c.signed = func(g *mls.GroupInfo) { s.ok(g.Sign(s.keys[1])) }
		return s.bad(c)
	}, publicgroup.ErrGroupInfoSignature, false},
	{"G5", "a replacement by another", nil, func(s *scene) func() error {
		g := must(s.group.GroupInfo())
		g.Signer = 2
		s.ok(g.Sign(s.keys[1]))
		return s.replace(2, groupInfoMessage(g), nil)
	}, publicgroup.ErrGroupInfoSignature, false},
	{"G5", "a replacement by nobody", nil, func(s *scene) func() error {
		return s.replace(3, groupInfoMessage(must(s.group.GroupInfo())), nil)
	}, publicgroup.ErrGroupInfoSigner, false},
	{"G6", "external_pub twice", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) { g.Extensions = append(g.Extensions, g.Extensions[0]) })
	}, publicgroup.ErrGroupInfoExtension, false},
	{"G6", "required_capabilities", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) {
			g.Extensions = append(g.Extensions, mls.Extension{Type: mls.ExtensionTypeRequiredCapabilities})
		})
	}, publicgroup.ErrGroupInfoExtension, false},
	{"G6", "in a partial one", nil, func(s *scene) func() error {
		return s.bad(commit{partial: true, groupInfo: func(g *mls.GroupInfo) { g.Extensions = append(g.Extensions, g.Extensions[0]) }})
	}, publicgroup.ErrGroupInfoExtension, false},
	{"G7", "missing", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) { g.Extensions = nil })
	}, publicgroup.ErrExternalPub, false},
	{"G7", "without its inner length", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) { g.Extensions[0].Data = s.pub })
	}, publicgroup.ErrExternalPub, false},
	{"G7", "not a key", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) {
			g.Extensions = must(g.Extensions.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: s.pub[1:]}))
		})
	}, publicgroup.ErrExternalPub, false},
	{"G7", "of small order", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) {
			g.Extensions = must(g.Extensions.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: make([]byte, 32)}))
		})
	}, publicgroup.ErrExternalPub, false},
	{"G6", "too long", shortExtensions, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) {
			g.Extensions = append(g.Extensions, mls.Extension{Type: customExtension, Data: make([]byte, 500)})
		})
	}, publicgroup.ErrTooLarge, false},
	{"G8", "the tree before", nil, func(s *scene) func() error {
		return s.badInfo(inline(must(s.group.Export())))
	}, publicgroup.ErrInlineTree, false},
	{"G8", "not a tree", nil, func(s *scene) func() error {
		return s.badInfo(func(g *mls.GroupInfo) {
			g.Extensions = append(g.Extensions, mls.Extension{Type: mls.ExtensionTypeRatchetTree, Data: []byte{1, 2}})
		})
	}, publicgroup.ErrInlineTree, false},
	{"G8", "not allowed", noInline, func(s *scene) func() error {
		return s.badInfo(inline(must(s.group.Export())))
	}, publicgroup.ErrInlineTree, false},
	{"G8", "not allowed in a partial one", noInline, func(s *scene) func() error {
		return s.bad(commit{partial: true, groupInfo: inline(must(s.group.Export()))})
	}, publicgroup.ErrInlineTree, false},
	{"G9", "present", nil, func(s *scene) func() error { return s.presence(mls.RatchetTreePresent) }, publicgroup.ErrTreePresence, false},
	{"G9", "removed", nil, func(s *scene) func() error { return s.presence(mls.RatchetTreeRemoved) }, publicgroup.ErrTreePresence, false},
	{"G9", "absent", nil, func(s *scene) func() error {
		g := must(s.group.GroupInfo())
		inline(must(s.group.Export()))(g)
		s.ok(g.Sign(s.keys[0]))
		s.apply(must(s.group.StageGroupInfo(0, groupInfoMessage(g), nil)))
		return s.presence(mls.RatchetTreeAbsent)
	}, publicgroup.ErrTreePresence, false},
}

func (s *scene) replace(signer mls.LeafIndex, full, partial []byte) func() error {
	return func() error {
		_, err := s.group.StageGroupInfo(signer, full, partial)
		return err
	}
}

// presence commits with a partial GroupInfo that claims p.
func (s *scene) presence(p mls.RatchetTreePresence) func() error {
	b := s.build(commit{partial: true})
	b.PartialGroupInfo[0] = byte(p)
	return s.stage(b)
}

// badWelcome adds two clients with a Welcome that was changed.
func (s *scene) badWelcome(hook func(*mls.Welcome)) func() error {
	return s.bad(commit{values: []*mls.Proposal{s.client().add(), s.client().add()}, welcome: hook})
}

var welcomeNegatives = []negative{
	{"W1", "missing", nil, func(s *scene) func() error {
		b := s.build(commit{values: []*mls.Proposal{s.client().add()}})
		b.Welcome = nil
		return s.stage(b)
	}, publicgroup.ErrWelcomeMissing, false},
	{"W1", "missing for an Add by reference", nil, func(s *scene) func() error {
		b := s.build(commit{refs: []mls.ProposalRef{s.propose(member(1), s.client().add())}})
		b.Welcome = nil
		return s.stage(b)
	}, publicgroup.ErrWelcomeMissing, false},
	{"W1", "unwanted", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.Welcome = s.build(commit{values: []*mls.Proposal{s.client().add()}}).Welcome
		return s.stage(b)
	}, publicgroup.ErrWelcomeUnwanted, false},
	{"W1", "unwanted by a joiner", nil, func(s *scene) func() error {
		b := s.build(s.join(s.client()))
		b.Welcome = s.build(commit{values: []*mls.Proposal{s.client().add()}}).Welcome
		return s.stage(b)
	}, publicgroup.ErrWelcomeUnwanted, false},
	{"W2", "another message", nil, func(s *scene) func() error {
		b := s.build(commit{values: []*mls.Proposal{s.client().add()}})
		b.Welcome = b.GroupInfo
		return s.stage(b)
	}, publicgroup.ErrWelcome, false},
	{"W2", "an octet more", nil, func(s *scene) func() error {
		b := s.build(commit{values: []*mls.Proposal{s.client().add()}})
		b.Welcome = append(b.Welcome, 0)
		return s.stage(b)
	}, mls.ErrMalformed, false},
	{"W2", "another suite", nil, func(s *scene) func() error {
		return s.badWelcome(func(w *mls.Welcome) { w.CipherSuite = mls.P256AES128GCM })
	}, publicgroup.ErrWelcomeSuite, false},
	{"W3", "one left out", nil, func(s *scene) func() error {
		return s.badWelcome(func(w *mls.Welcome) { w.Secrets = w.Secrets[1:] })
	}, publicgroup.ErrWelcomeOmits, false},
	{"W3", "nobody", nil, func(s *scene) func() error {
		return s.badWelcome(func(w *mls.Welcome) { w.Secrets = nil })
	}, publicgroup.ErrWelcomeOmits, false},
	{"W3", "a stranger", nil, func(s *scene) func() error {
		return s.badWelcome(func(w *mls.Welcome) { w.Secrets = append(w.Secrets, s.secretsFor(s.client().keyPackage)) })
	}, publicgroup.ErrWelcomeExtra, false},
	{"W3", "a stranger for one of them", nil, func(s *scene) func() error {
		return s.badWelcome(func(w *mls.Welcome) { w.Secrets[1] = s.secretsFor(s.client().keyPackage) })
	}, publicgroup.ErrWelcomeExtra, false},
	{"W3", "one twice", nil, func(s *scene) func() error {
		return s.badWelcome(func(w *mls.Welcome) { w.Secrets = append(w.Secrets, w.Secrets[0]) })
	}, publicgroup.ErrWelcomeRepeats, false},
	{"W3", "one twice for another", nil, func(s *scene) func() error {
		return s.badWelcome(func(w *mls.Welcome) { w.Secrets[1] = w.Secrets[0] })
	}, publicgroup.ErrWelcomeRepeats, false},
}

// badImport imports the group as it is, from a GroupInfo that was changed before
// it was signed and a tree that was changed; the tree hash is made to fit unless
// info changes it.
func (s *scene) badImport(change func(*publicgroup.Config), info func(*mls.GroupInfo), nodes func(mls.RatchetTree) mls.RatchetTree) func() error {
	gi := must(s.group.GroupInfo())
	export := must(s.group.Export())
	if nodes != nil {
		export = nodes(export)
		c, err := tree.Build(tree.ImportConfig{Suite: s.suite, GroupID: gi.GroupContext.GroupID}, export)
		if err == nil {
			gi.GroupContext.TreeHash = c.Header.Hash
		}
	}
	gi.Signer = 0
	if info != nil {
		info(gi)
	}
	s.ok(gi.Sign(s.keys[0]))
	cfg := s.cfg
	if change != nil {
		change(&cfg)
	}
	return func() error {
		_, err := publicgroup.Import(cfg, groupInfoMessage(gi), export)
		return err
	}
}

// parent returns a copy of a parent node to change.
func parent(nodes mls.RatchetTree, x mls.NodeIndex) *mls.ParentNode {
	p := *nodes[x].Parent
	nodes[x].Parent = &p
	return &p
}

var importNegatives = []negative{
	{"I1", "version", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.GroupContext.Version = 2 }, nil)
	}, publicgroup.ErrGroupInfo, false},
	{"I1", "suite", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.GroupContext.CipherSuite = 99 }, nil)
	}, mls.ErrUnsupportedSuite, false},
	{"I2", "transcript", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.GroupContext.ConfirmedTranscriptHash = nil }, nil)
	}, publicgroup.ErrTranscript, false},
	{"I2", "transcript at epoch 0", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.GroupContext.Epoch = 0 }, nil)
	}, publicgroup.ErrTranscript, false},
	{"I2", "confirmation tag", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.ConfirmationTag = nil }, nil)
	}, publicgroup.ErrGroupInfoTag, false},
	{"I3", "another tree hash", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.GroupContext.TreeHash = s.bytes() }, nil)
	}, publicgroup.ErrTreeHash, false},
	{"I3", "no tree", nil, func(s *scene) func() error {
		gi := groupInfoMessage(must(s.group.GroupInfo()))
		return func() error {
			_, err := publicgroup.Import(s.cfg, gi, nil)
			return err
		}
	}, publicgroup.ErrNoTree, false},
	{"I3", "another tree inside", nil, func(s *scene) func() error {
		return s.badImport(nil, inline(mls.RatchetTree{{Leaf: must(s.group.Leaf(0))}}), nil)
	}, publicgroup.ErrInlineTree, false},
	{"I4", "a parent's key", nil, func(s *scene) func() error {
		return s.badImport(nil, nil, func(n mls.RatchetTree) mls.RatchetTree {
			parent(n, 1).EncryptionKey = s.client().keyPackage.InitKey
			return n
		})
	}, tree.ErrParentHash, false},
	{"I5", "a leaf's signature", nil, func(s *scene) func() error {
		return s.badImport(nil, nil, func(n mls.RatchetTree) mls.RatchetTree {
			l := n[0].Leaf.Clone() // which all parent hashes lead to
			l.Signature = flip(l.Signature)
			n[0].Leaf = l
			return n
		})
	}, mls.ErrSignature, false},
	{"I6", "not below", nil, func(s *scene) func() error {
		s.commit(commit{noPath: true}, s.client())
		return s.badImport(nil, nil, func(n mls.RatchetTree) mls.RatchetTree {
			parent(n, 7).Unmerged = []mls.LeafIndex{9}
			return n
		})
	}, tree.ErrUnmerged, false},
	{"I6", "blank", nil, func(s *scene) func() error {
		return s.badImport(nil, nil, func(n mls.RatchetTree) mls.RatchetTree {
			parent(n, 7).Unmerged = []mls.LeafIndex{3}
			return n
		})
	}, tree.ErrUnmerged, false},
	{"I6", "not known in between", nil, func(s *scene) func() error {
		s.commit(commit{noPath: true}, s.client())
		return s.badImport(nil, nil, func(n mls.RatchetTree) mls.RatchetTree {
			parent(n, 3).Unmerged = nil
			return n
		})
	}, tree.ErrUnmerged, false},
	{"I6", "descending", nil, func(s *scene) func() error {
		s.commit(commit{noPath: true}, s.client())
		return s.badImport(nil, nil, func(n mls.RatchetTree) mls.RatchetTree {
			parent(n, 7).Unmerged = []mls.LeafIndex{5, 3}
			return n
		})
	}, tree.ErrUnmerged, false},
	{"I7", "a parent's at a leaf", nil, func(s *scene) func() error {
		return s.badImport(nil, nil, func(n mls.RatchetTree) mls.RatchetTree {
			parent(n, 1).EncryptionKey = n[0].Leaf.EncryptionKey
			return n
		})
	}, tree.ErrDuplicateKey, false},
	{"I8", "a blank", nil, func(s *scene) func() error {
		return s.badImport(nil, nil, func(n mls.RatchetTree) mls.RatchetTree { return append(n, mls.Node{}) })
	}, tree.ErrShape, false},
	{"I8", "a parent at a leaf's place", nil, func(s *scene) func() error {
		return s.badImport(nil, nil, func(n mls.RatchetTree) mls.RatchetTree {
			n[0] = n[1]
			return n
		})
	}, tree.ErrShape, false},
	{"I9", "a blank leaf", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.Signer = 3 }, nil)
	}, publicgroup.ErrGroupInfoSigner, false},
	{"I9", "outside the tree", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.Signer = 1<<32 - 1 }, nil)
	}, publicgroup.ErrGroupInfoSigner, false},
	{"I9", "another member", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.Signer = 1 }, nil)
	}, publicgroup.ErrGroupInfoSignature, false},
	{"I10", "a custom extension", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.GroupContext.Extensions = mls.Extensions{{Type: customExtension}} }, nil)
	}, epoch.ErrUnsupportedExtension, false},
	{"I10", "a malformed extension", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) {
			g.GroupContext.Extensions = mls.Extensions{{Type: mls.ExtensionTypeExternalSenders}}
		}, nil)
	}, epoch.ErrGroupExtension, false},
	{"I11", "size", nil, func(s *scene) func() error {
		return s.badImport(func(c *publicgroup.Config) { c.MaxMembers = 4 }, nil, nil)
	}, publicgroup.ErrTooManyMembers, false},
	{"I11", "a leaf", nil, func(s *scene) func() error {
		return s.badImport(func(c *publicgroup.Config) {
			c.CheckLeaf = func(_, _ *mls.LeafNode) error { return errHook }
		}, nil, nil)
	}, publicgroup.ErrLeafRefused, false},
	{"I11", "extensions", nil, func(s *scene) func() error {
		return s.badImport(func(c *publicgroup.Config) { c.MaxExtensions = 10 }, nil, nil)
	}, publicgroup.ErrTooLarge, false},
	{"I11", "octets", nil, func(s *scene) func() error {
		return s.badImport(func(c *publicgroup.Config) { c.MaxMessage = 100 }, nil, nil)
	}, publicgroup.ErrTooLarge, false},
	{"I11", "no external_pub", nil, func(s *scene) func() error {
		return s.badImport(nil, func(g *mls.GroupInfo) { g.Extensions = nil }, nil)
	}, publicgroup.ErrExternalPub, false},
	{"I11", "limits", nil, func(s *scene) func() error {
		return s.badImport(func(c *publicgroup.Config) { c.MaxMessage = -1 }, nil, nil)
	}, publicgroup.ErrConfig, false},
	{"I12", "a later epoch", nil, func(s *scene) func() error {
		gi, nodes := groupInfoMessage(must(s.group.GroupInfo())), must(s.group.Export())
		return func() error {
			_, err := publicgroup.Register(s.cfg, gi, nodes)
			return err
		}
	}, publicgroup.ErrNotNew, false},
}
