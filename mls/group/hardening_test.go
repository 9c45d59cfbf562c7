package group_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
)

// TestWelcomeKeyUsedOnce: a commit without a path has no randomness of its own.
// Made again with another Welcome, it must not come out the same, or the two
// GroupInfos would be encrypted under one key and nonce.
func TestWelcomeKeyUsedOnce(t *testing.T) {
	for name, again := range map[string]func(*person){
		"at once":         func(*person) {},
		"after a restart": func(p *person) { p.restores() },
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := newPerson(t, suite, "alice"), newPerson(t, suite, "bob")
			alice.create(nil)
			add := group.Add(bob.keyPackage())
			first := alice.drafts(values(add))
			alice.Discard()
			again(alice)
			second := alice.drafts(group.CommitOptions{Proposals: []*mls.Proposal{add}, Welcome: group.GroupInfoOptions{Tree: true}})
			if first.Message.PublicMessage.Content.Commit.Path != nil || second.Message.PublicMessage.Content.Commit.Path == nil {
				t.Error("the second commit of an epoch that adds members has no path")
			}
			a, b := first.Welcome.Welcome.EncryptedGroupInfo, second.Welcome.Welcome.EncryptedGroupInfo
			if bytes.Equal(a[:32], b[:32]) {
				t.Error("two GroupInfos are encrypted under one key and nonce")
			}
			if _, err := alice.Merge(); err != nil {
				t.Fatal(err)
			}
			bob.joinFrom(alice, second)
			agree(t, alice, bob)

			carol := newPerson(t, suite, "carol")
			if third := alice.commits(values(group.Add(carol.keyPackage())), bob); third.Message.PublicMessage.Content.Commit.Path != nil {
				t.Error("a path is forced in the next epoch too")
			}
		})
	}
}

// TestJoinCopiesWhatItKeeps: the buffers that a GroupInfo and a tree were decoded
// from belong to the caller.
func TestJoinCopiesWhatItKeeps(t *testing.T) {
	all := people(t, suite, 2)
	alice, bob := all[0], all[1]
	info, err := mls.Marshal(alice.groupInfo(group.GroupInfoOptions{ExternalPub: true}))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := alice.Tree()
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := mls.Marshal(&tree)
	if err != nil {
		t.Fatal(err)
	}
	var decoded mls.GroupInfo
	var decodedTree mls.RatchetTree
	if err := mls.Unmarshal(info, &decoded); err != nil {
		t.Fatal(err)
	}
	if err := mls.Unmarshal(nodes, &decodedTree); err != nil {
		t.Fatal(err)
	}
	carol := newPerson(t, suite, "carol")
	carol.joinsExternally(&decoded, group.ExternalOptions{Tree: decodedTree}, alice, bob)
	clear(info)
	clear(nodes)
	agree(t, alice, bob, carol)
	carol.hears(bob.sends("still here"), "still here")
	carol.commits(group.CommitOptions{}, alice, bob)
}

// TestKeyPackageExtensionsAreSupported: a KeyPackage has no extension that its
// own leaf does not support (RFC 9420, Section 10).
func TestKeyPackageExtensionsAreSupported(t *testing.T) {
	alice := newPerson(t, suite, "alice")
	bare := *alice.client
	bare.Capabilities = group.DefaultCapabilities(suite)
	bare.Capabilities.Extensions = nil
	for name, o := range map[string]group.KeyPackageOptions{
		"last resort": {LastResort: true},
		"unknown":     {Extensions: mls.Extensions{{Type: 0xF00D}}},
	} {
		if _, err := group.NewKeyPackage(alice.cfg, &bare, o); !errors.Is(err, mls.ErrKeyPackage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := group.NewKeyPackage(alice.cfg, alice.client, group.KeyPackageOptions{LastResort: true}); err != nil {
		t.Error(err)
	}
	if _, err := group.NewKeyPackage(alice.cfg, &bare, group.KeyPackageOptions{Extensions: mls.Extensions{{Type: 0x0A0A}}}); err != nil {
		t.Errorf("GREASE: %v", err)
	}
}
