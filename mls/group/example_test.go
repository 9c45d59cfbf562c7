package group_test

import (
	"crypto/rand"
	"fmt"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
)

// Two clients make a group and talk. What one sends reaches the other through a
// delivery service, which is left out here, as is the encoding of messages by
// [mls.Marshal].
func Example() {
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		panic(err)
	}
	client := func(name string) *group.Client {
		signer, err := suite.GenerateSignatureKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return &group.Client{
			Suite: suite.ID(), Credential: mls.BasicCredential([]byte(name)), Signer: signer,
			Lifetime: mls.Lifetime{NotBefore: 0, NotAfter: 1 << 40},
		}
	}

	// Bob publishes a KeyPackage.
	bobsConfig := group.Config{KeyPackages: group.NewMemoryStore()}
	keyPackage, err := group.NewKeyPackage(bobsConfig, client("bob"), group.KeyPackageOptions{})
	if err != nil {
		panic(err)
	}

	// Alice creates a group and adds him. Once the delivery service has taken
	// her commit, she merges it, and the Welcome may go to Bob.
	alice, err := group.Create(group.Config{}, client("alice"), []byte("a random name"), nil)
	if err != nil {
		panic(err)
	}
	commit, err := alice.Commit(group.CommitOptions{
		Proposals: []*mls.Proposal{group.Add(keyPackage)},
		Welcome:   group.GroupInfoOptions{Tree: true},
	})
	if err != nil {
		panic(err)
	}
	if _, err := alice.Merge(); err != nil {
		panic(err)
	}
	bob, err := group.JoinWelcome(bobsConfig, commit.Welcome.Welcome, group.JoinOptions{})
	if err != nil {
		panic(err)
	}

	message, err := alice.Send([]byte("hello, Bob"), group.MessageOptions{})
	if err != nil {
		panic(err)
	}
	received, err := bob.Process(message)
	if err != nil {
		panic(err)
	}
	fmt.Printf("epoch %d, member %d: %s\n", received.Epoch, received.Sender.Leaf, received.Application)
	// Output: epoch 1, member 0: hello, Bob
}
