package tree_test

import (
	"crypto/rand"
	"fmt"
	"log"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// A member adds somebody and commits with a path; a server that has the same
// tree merges the path and can tell who is in the group.
func Example() {
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		log.Fatal(err)
	}
	group := []byte("group")
	newLeaf := func(name string) (*mls.LeafNode, *mls.SignatureKey) {
		signer, err := suite.GenerateSignatureKey(rand.Reader)
		if err != nil {
			log.Fatal(err)
		}
		_, public, err := suite.GenerateKeyPair(rand.Reader)
		if err != nil {
			log.Fatal(err)
		}
		return &mls.LeafNode{EncryptionKey: public, SignatureKey: signer.Public(), Source: mls.LeafNodeSourceKeyPackage,
			Credential: mls.BasicCredential([]byte(name))}, signer
	}
	alice, signer := newLeaf("alice")
	bob, _ := newLeaf("bob")

	store := tree.NewMemory()
	e := tree.Empty(suite, store, 0).Edit()
	if _, err := e.AddLeaf(alice); err != nil {
		log.Fatal(err)
	}
	changes, err := e.Changes()
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Apply(changes); err != nil {
		log.Fatal(err)
	}
	epoch0 := tree.New(suite, store, changes.Version, changes.Header)

	// Alice
	e = epoch0.Edit()
	if _, err := e.AddLeaf(bob); err != nil {
		log.Fatal(err)
	}
	own, err := e.CreatePath(rand.Reader, 0, alice, signer, group)
	if err != nil {
		log.Fatal(err)
	}
	path, err := own.Seal([]byte("the encoded GroupContext with e.Hash() in it"))
	if err != nil {
		log.Fatal(err)
	}

	// The server
	e = epoch0.Edit()
	if _, err := e.AddLeaf(bob); err != nil {
		log.Fatal(err)
	}
	if err := path.LeafNode.VerifySignature(suite, group, 0); err != nil {
		log.Fatal(err)
	}
	if err := e.MergePath(0, path); err != nil {
		log.Fatal(err)
	}
	if changes, err = e.Changes(); err != nil {
		log.Fatal(err)
	}
	if err := store.Apply(changes); err != nil {
		log.Fatal(err)
	}
	epoch1 := tree.New(suite, store, changes.Version, changes.Header)
	err = epoch1.EachLeaf(func(i mls.LeafIndex, leaf *mls.LeafNode) error {
		fmt.Printf("%d: %s\n", i, leaf.Credential.Identity)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("before:", epoch0.Members())
	// Output:
	// 0: alice
	// 1: bob
	// before: 1
}
