package group

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/pseudods/pseudods/mls"
)

// Client is what a client puts into the leaves it makes.
type Client struct {
	Suite      mls.CipherSuite
	Credential mls.Credential
	// Signer must be of Suite's signature scheme. Within one group no two
	// members may share it.
	Signer *mls.SignatureKey
	// Capabilities default to [DefaultCapabilities] of Suite.
	Capabilities mls.Capabilities
	Extensions   mls.Extensions // of the leaf
	// Lifetime is that of KeyPackages, and of the leaf of a group's creator.
	Lifetime mls.Lifetime
}

// DefaultCapabilities are those of this package: MLS 1.0, the given suites (all
// of [mls.CipherSuites] if none is given), SelfRemove, AppDataUpdate,
// AppEphemeral, app_data_dictionary, last_resort, basic credentials.
func DefaultCapabilities(suites ...mls.CipherSuite) mls.Capabilities {
	if len(suites) == 0 {
		suites = mls.CipherSuites()
	}
	return mls.Capabilities{
		Versions:     []mls.ProtocolVersion{mls.MLS10},
		CipherSuites: suites,
		Extensions:   []mls.ExtensionType{mls.ExtensionTypeAppDataDictionary, mls.ExtensionTypeLastResort},
		Proposals:    []mls.ProposalType{mls.ProposalTypeAppDataUpdate, mls.ProposalTypeAppEphemeral, mls.ProposalTypeSelfRemove},
		Credentials:  []mls.CredentialType{mls.CredentialTypeBasic},
	}
}

// WithGREASE returns a copy of c in which each list but the versions has one
// random value that nobody supports, at a random place (RFC 9420, Section 13.5).
func WithGREASE(c mls.Capabilities, rand io.Reader) (mls.Capabilities, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return mls.Capabilities{}, err
	}
	r := b[:]
	next := func() uint16 {
		v := binary.BigEndian.Uint16(r)
		r = r[2:]
		return v
	}
	c.CipherSuites = grease(c.CipherSuites, next(), next())
	c.Extensions = grease(c.Extensions, next(), next())
	c.Proposals = grease(c.Proposals, next(), next())
	c.Credentials = grease(c.Credentials, next(), next())
	return c, nil
}

// grease inserts one of the fifteen values 0x0A0A to 0xEAEA.
func grease[T ~uint16](list []T, value, place uint16) []T {
	return slices.Insert(slices.Clone(list), int(place)%(len(list)+1), T(0x0a0a+0x1010*(value%15)))
}

// leaf returns a leaf without keys and signature.
func (c *Client) leaf() mls.LeafNode {
	caps := c.Capabilities
	if len(caps.Versions) == 0 {
		caps = DefaultCapabilities(c.Suite)
	}
	return mls.LeafNode{
		Credential: c.Credential, SignatureKey: c.Signer.Public(), Capabilities: caps,
		Extensions: c.Extensions, Lifetime: c.Lifetime, Source: mls.LeafNodeSourceKeyPackage,
	}
}

// LeafChange is what an Update or a commit's path changes about the client's
// own leaf, besides its encryption key. A nil field stays as it is.
type LeafChange struct {
	Credential   *mls.Credential
	Signer       *mls.SignatureKey
	Capabilities *mls.Capabilities
	Extensions   mls.Extensions // non-nil replaces all
}

// apply returns the changed copy of old and the key that signs it.
func (c *LeafChange) apply(old *mls.LeafNode, signer *mls.SignatureKey) (*mls.LeafNode, *mls.SignatureKey) {
	leaf := old.Clone()
	if c == nil {
		return leaf, signer
	}
	if c.Credential != nil {
		leaf.Credential = *c.Credential
	}
	if c.Capabilities != nil {
		leaf.Capabilities = *c.Capabilities
	}
	if c.Extensions != nil {
		leaf.Extensions = c.Extensions
	}
	if c.Signer != nil {
		signer = c.Signer
	}
	leaf.SignatureKey = signer.Public()
	return leaf, signer
}
