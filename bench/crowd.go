package bench

import (
	"crypto/rand"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// crowd is a group at the delivery service with all its members. They know their
// signature keys and a group state key, and no group secrets: whatever a server
// cannot check is made up, and every signature verifies. A crowd is not safe for
// concurrent use.
type crowd struct {
	site  *site
	suite *mls.Suite
	id    wire.GroupID
	group *publicgroup.Group // what all members know of the tree
	keys  map[mls.LeafIndex]*mls.SignatureKey
	pub   []byte // external_pub of all epochs

	stateKey secret.Bytes
	owners   []*owner // by leaf; nil for a member without a queue
}

// newcomer is somebody with a KeyPackage.
type newcomer struct {
	key        *mls.SignatureKey
	keyPackage *mls.KeyPackage
	owner      *owner
}

func (c *crowd) hash() []byte { return random(c.suite.HashSize()) }

// newCrowd founds a group of one member, with a queue unless owner is nil.
func (s *site) newCrowd(o *owner) (*crowd, error) {
	suite, err := suite()
	if err != nil {
		return nil, err
	}
	c := &crowd{site: s, suite: suite, keys: map[mls.LeafIndex]*mls.SignatureKey{}, stateKey: secret.New(random(wire.GroupStateKeySize))}
	if _, c.pub, err = suite.GenerateKeyPair(rand.Reader); err != nil {
		return nil, err
	}
	r, err := request(dsDomain, wire.OpRequestGroupID, &wire.Empty{}, wire.Auth{}, secret.Bytes{}, nil)
	if err != nil {
		return nil, err
	}
	var id wire.NewGroupID
	if err := c.send(r, &id); err != nil {
		return nil, err
	}
	c.id = id.Group
	return c, c.found(o)
}

func (c *crowd) found(o *owner) error {
	n, err := c.newcomer(nil)
	if err != nil {
		return err
	}
	e := tree.Empty(c.suite, tree.NewMemory(), 0).Edit()
	if _, err := e.AddLeaf(&n.keyPackage.LeafNode); err != nil {
		return err
	}
	hash, err := e.Hash()
	if err != nil {
		return err
	}
	nodes, err := e.Export()
	if err != nil {
		return err
	}
	info := &mls.GroupInfo{GroupContext: mls.GroupContext{Version: mls.MLS10, CipherSuite: c.suite.ID(), GroupID: c.id[:], TreeHash: hash},
		ConfirmationTag: c.hash()}
	if err := c.sign(info, n.key); err != nil {
		return err
	}
	body := &wire.CreateGroup{Group: c.id}
	if body.GroupInfo, err = infoMessage(info); err != nil {
		return err
	}
	if body.Tree, err = mls.Marshal(&nodes); err != nil {
		return err
	}
	if o != nil {
		address, err := o.sealed(c.site, wire.AddressBound, [16]byte(random(16)), c.id)
		if err != nil {
			return err
		}
		body.Address = &wire.MemberAddress{Address: address, Secret: o.secret}
	}
	r, err := request(dsDomain, wire.OpCreateGroup, body, wire.Auth{Type: wire.AuthJoiner}, c.stateKey, n.key)
	if err != nil {
		return err
	}
	if err := c.send(r, new(wire.Accepted)); err != nil {
		return err
	}
	changes, err := publicgroup.Register(groupConfig, body.GroupInfo, nodes)
	if err != nil {
		return err
	}
	c.keys[0], c.owners = n.key, []*owner{o}
	c.group, err = publicgroup.Create(publicgroup.NewMemory(), groupConfig, changes)
	return err
}

var groupConfig = publicgroup.Config{ExternalJoins: true, MaxMessage: 8 << 20, MaxMembers: 1 << 20}

// send has the service answer a request.
func (c *crowd) send(r *wire.Request, out mls.Unmarshaler) error {
	encoded, err := mls.Marshal(r)
	if err != nil {
		return err
	}
	return c.site.call(encoded, out)
}

// sign signs a GroupInfo with what belongs into each.
func (c *crowd) sign(i *mls.GroupInfo, key *mls.SignatureKey) (err error) {
	if i.Extensions, err = i.Extensions.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: c.pub}); err != nil {
		return err
	}
	return i.Sign(key)
}

func infoMessage(i *mls.GroupInfo) ([]byte, error) {
	return mls.Marshal(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: i})
}

// newcomer makes the client of a new user.
func (c *crowd) newcomer(o *owner) (*newcomer, error) {
	key, err := c.suite.GenerateSignatureKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	p := wire.PseudonymousCredential{Client: wire.Pseudonym(random(16)), User: wire.Pseudonym(random(16)), Provider: dsDomain,
		UserAuthKey: random(32), IdentityLink: random(200)}
	credential, err := p.Credential()
	if err != nil {
		return nil, err
	}
	_, encryption, err := c.suite.GenerateKeyPair(rand.Reader)
	if err != nil {
		return nil, err
	}
	now := uint64(time.Now().Unix())
	k := &mls.KeyPackage{Version: mls.MLS10, CipherSuite: c.suite.ID(), LeafNode: mls.LeafNode{
		EncryptionKey: encryption, SignatureKey: key.Public(), Credential: credential, Source: mls.LeafNodeSourceKeyPackage,
		Capabilities: mls.Capabilities{Versions: []mls.ProtocolVersion{mls.MLS10}, CipherSuites: []mls.CipherSuite{c.suite.ID()},
			Proposals:   []mls.ProposalType{mls.ProposalTypeSelfRemove},
			Extensions:  []mls.ExtensionType{wire.ExtensionQueueAddress, wire.ExtensionGroupPolicy},
			Credentials: []mls.CredentialType{mls.CredentialTypeBasic}},
		Lifetime: mls.Lifetime{NotBefore: now - 60, NotAfter: now + 86400}}}
	if _, k.InitKey, err = c.suite.GenerateKeyPair(rand.Reader); err != nil {
		return nil, err
	}
	if o != nil {
		address, err := o.sealed(c.site, wire.AddressOneTime, [16]byte(random(16)), c.id)
		if err != nil {
			return nil, err
		}
		welcome, err := seal.GenerateKey(wire.X25519)
		if err != nil {
			return nil, err
		}
		k.Extensions, err = k.Extensions.With(wire.ExtensionQueueAddress,
			&wire.KeyPackageAddress{Address: address, WelcomeKey: [32]byte(welcome.Public().Public)})
		if err != nil {
			return nil, err
		}
	}
	if err := k.LeafNode.Sign(key, nil, 0); err != nil {
		return nil, err
	}
	return &newcomer{key, k, o}, k.Sign(key)
}

// batch is how many members one commit adds.
const batch = 128

// fill adds members with these queues; a nil owner stands for a member without.
func (c *crowd) fill(owners []*owner) error {
	for len(owners) > 0 {
		n := min(batch, len(owners))
		some := make([]*newcomer, n)
		err := each(n, 0, func(i int) (err error) {
			some[i], err = c.newcomer(owners[i])
			return err
		})
		if err != nil {
			return err
		}
		if err := c.add(some); err != nil {
			return err
		}
		owners = owners[n:]
	}
	return nil
}

// grow adds n members who join by commits of their own, so that the tree has no
// blank node and no unmerged leaf, as that of a group that has lived for a while.
func (c *crowd) grow(n int) error {
	for range n {
		if err := c.join(); err != nil {
			return err
		}
	}
	return nil
}

// message is a request that sends application data of a size, made up, with the
// framing and the overhead of a real message.
func (c *crowd) message(from mls.LeafIndex, size int) ([]byte, error) {
	const overhead = 90 + 34 // signature, length, AEAD tag, and franking key and length
	m := &mls.PrivateMessage{GroupID: c.id[:], Epoch: c.group.Epoch(), ContentType: mls.ContentTypeApplication,
		AuthenticatedData:   random(wire.FrankingTagSize),
		EncryptedSenderData: random(28), Ciphertext: random(size + overhead)}
	encoded, err := mls.Marshal(&mls.Message{WireFormat: mls.WireFormatPrivateMessage, PrivateMessage: m})
	if err != nil {
		return nil, err
	}
	r, err := request(dsDomain, wire.OpSendMessage, &wire.GroupMessage{Group: c.id, Message: encoded},
		wire.Auth{Type: wire.AuthLeaf, Leaf: from}, c.stateKey, c.keys[from])
	if err != nil {
		return nil, err
	}
	return mls.Marshal(r)
}
