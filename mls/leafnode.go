package mls

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Capabilities says what a client supports (RFC 9420, Section 7.2).
type Capabilities struct {
	Versions     []ProtocolVersion
	CipherSuites []CipherSuite
	Extensions   []ExtensionType
	Proposals    []ProposalType
	Credentials  []CredentialType
}

// MarshalTLS encodes c.
func (c *Capabilities) MarshalTLS(w *tlscodec.Writer) {
	writeUint16s(w, c.Versions)
	writeUint16s(w, c.CipherSuites)
	writeUint16s(w, c.Extensions)
	writeUint16s(w, c.Proposals)
	writeUint16s(w, c.Credentials)
}

// UnmarshalTLS decodes c. Lists of more than 1,024 types are refused.
func (c *Capabilities) UnmarshalTLS(r *tlscodec.Reader) {
	c.Versions = readUint16s[ProtocolVersion](r)
	c.CipherSuites = readUint16s[CipherSuite](r)
	c.Extensions = readUint16s[ExtensionType](r)
	c.Proposals = readUint16s[ProposalType](r)
	c.Credentials = readUint16s[CredentialType](r)
}

// SupportsExtension reports whether t is a default type or listed.
func (c *Capabilities) SupportsExtension(t ExtensionType) bool {
	return t.IsDefault() || slices.Contains(c.Extensions, t)
}

// SupportsProposal reports whether t is a default type or listed.
func (c *Capabilities) SupportsProposal(t ProposalType) bool {
	return t.IsDefault() || slices.Contains(c.Proposals, t)
}

// SupportsCredential reports whether t is listed.
func (c *Capabilities) SupportsCredential(t CredentialType) bool {
	return slices.Contains(c.Credentials, t)
}

// Lifetime is the time in which a KeyPackage's leaf may be used, in seconds
// since the Unix epoch, both ends included (RFC 9420, Section 7.2).
type Lifetime struct{ NotBefore, NotAfter uint64 }

// Contains reports whether t falls in the lifetime.
func (l Lifetime) Contains(t time.Time) bool {
	s := t.Unix()
	return s >= 0 && l.NotBefore <= uint64(s) && uint64(s) <= l.NotAfter
}

// LeafNode describes one member (RFC 9420, Section 7.2).
type LeafNode struct {
	EncryptionKey []byte // HPKE public key
	SignatureKey  []byte
	Credential    Credential
	Capabilities  Capabilities
	Source        LeafNodeSource
	Lifetime      Lifetime // if Source is LeafNodeSourceKeyPackage
	ParentHash    []byte   // if Source is LeafNodeSourceCommit
	Extensions    Extensions
	Signature     []byte
}

func (l *LeafNode) marshalContent(w *tlscodec.Writer) {
	w.Opaque(l.EncryptionKey)
	w.Opaque(l.SignatureKey)
	l.Credential.MarshalTLS(w)
	l.Capabilities.MarshalTLS(w)
	w.Uint8(uint8(l.Source))
	switch l.Source {
	case LeafNodeSourceKeyPackage:
		w.Uint64(l.Lifetime.NotBefore)
		w.Uint64(l.Lifetime.NotAfter)
	case LeafNodeSourceUpdate:
	case LeafNodeSourceCommit:
		w.Opaque(l.ParentHash)
	default:
		w.Fail(tlscodec.ErrEncode)
	}
	l.Extensions.MarshalTLS(w)
}

// MarshalTLS encodes l.
func (l *LeafNode) MarshalTLS(w *tlscodec.Writer) {
	l.marshalContent(w)
	w.Opaque(l.Signature)
}

// UnmarshalTLS decodes l.
func (l *LeafNode) UnmarshalTLS(r *tlscodec.Reader) {
	*l = LeafNode{EncryptionKey: r.Opaque(), SignatureKey: r.Opaque()}
	l.Credential.UnmarshalTLS(r)
	l.Capabilities.UnmarshalTLS(r)
	l.Source = LeafNodeSource(r.Uint8())
	switch l.Source {
	case LeafNodeSourceKeyPackage:
		l.Lifetime = Lifetime{NotBefore: r.Uint64(), NotAfter: r.Uint64()}
	case LeafNodeSourceUpdate:
	case LeafNodeSourceCommit:
		l.ParentHash = r.Opaque()
	default:
		r.Fail(tlscodec.ErrValue)
	}
	l.Extensions.UnmarshalTLS(r)
	l.Signature = r.Opaque()
}

// Clone returns a copy that shares octet strings but no slice headers with l.
func (l *LeafNode) Clone() *LeafNode {
	c := *l
	c.Extensions = slices.Clone(l.Extensions)
	return &c
}

func (l *LeafNode) tbs(groupID []byte, leaf LeafIndex) ([]byte, error) {
	var w tlscodec.Writer
	l.marshalContent(&w)
	if l.Source != LeafNodeSourceKeyPackage {
		w.Opaque(groupID)
		w.Uint32(uint32(leaf))
	}
	return w.Bytes()
}

// Sign sets the leaf's signature (RFC 9420, Section 7.2). A leaf from a
// KeyPackage belongs to no group: groupID and leaf are then not used.
func (l *LeafNode) Sign(key *SignatureKey, groupID []byte, leaf LeafIndex) error {
	tbs, err := l.tbs(groupID, leaf)
	if err != nil {
		return fmt.Errorf("%w: LeafNode: %w", ErrEncode, err)
	}
	l.Signature, err = key.SignWithLabel("LeafNodeTBS", tbs)
	return err
}

// VerifySignature checks the leaf's signature under its own key, for the
// position at which it stands. It fails with [ErrSignature].
func (l *LeafNode) VerifySignature(s *Suite, groupID []byte, leaf LeafIndex) error {
	tbs, err := l.tbs(groupID, leaf)
	if err != nil {
		return fmt.Errorf("%w: LeafNode: %w", ErrEncode, err)
	}
	if err := s.VerifyWithLabel(l.SignatureKey, "LeafNodeTBS", tbs, l.Signature); err != nil {
		return fmt.Errorf("leaf node: %w", err)
	}
	return nil
}

// maxSupported bounds each list of a leaf's capabilities. Groups count who
// supports what, and a single member must not be able to use up the count.
const maxSupported = 128

// ErrLeafNode: a leaf node breaks a rule of RFC 9420, Section 7.3, that can be
// judged by the leaf alone.
var ErrLeafNode = errors.New("mls: invalid leaf node")

// Check verifies what RFC 9420, Section 7.3, asks of the leaf alone: the source
// is want, keys are well-formed, extension types stand once and are supported
// by the leaf's own capabilities, the capabilities name MLS 1.0 and the leaf's
// own credential type, and list at most 128 types of a kind. Tolerated are default types, which capabilities must not
// list but which change nothing, and the absence of the group's cipher suite,
// which the leaf proves to support by its keys and which deployed clients have
// been seen to leave out. It does not verify the signature, and says nothing
// about other members. Errors wrap [ErrLeafNode], [ErrPublicKey] or
// [ErrExtension].
func (l *LeafNode) Check(s *Suite, want LeafNodeSource) error {
	if l.Source != want {
		return fmt.Errorf("%w: source %d where %d belongs", ErrLeafNode, l.Source, want)
	}
	if err := s.CheckHPKEPublicKey(l.EncryptionKey); err != nil {
		return fmt.Errorf("leaf encryption key: %w", err)
	}
	if err := s.CheckSignaturePublicKey(l.SignatureKey); err != nil {
		return fmt.Errorf("leaf signature key: %w", err)
	}
	c := &l.Capabilities
	switch {
	case max(len(c.Extensions), len(c.Proposals), len(c.Credentials)) > maxSupported:
		return fmt.Errorf("%w: too many capabilities", ErrLeafNode)
	case !slices.Contains(c.Versions, MLS10):
		return fmt.Errorf("%w: MLS 1.0 not among its versions", ErrLeafNode)
	case !c.SupportsCredential(l.Credential.Type):
		return fmt.Errorf("%w: own credential type not among its capabilities", ErrLeafNode)
	}
	if err := l.Extensions.CheckUnique(); err != nil {
		return err
	}
	for _, e := range l.Extensions {
		if !c.SupportsExtension(e.Type) {
			return fmt.Errorf("%w: own extension %v not among its capabilities", ErrLeafNode, e.Type)
		}
	}
	return nil
}
