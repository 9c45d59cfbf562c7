package mls

import (
	"bytes"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Proposal is one change to a group (RFC 9420, Section 12.1). Exactly the field
// of its Type is set.
type Proposal struct {
	Type                   ProposalType
	Add                    *KeyPackage
	Update                 *LeafNode
	Remove                 LeafIndex
	PSK                    *PreSharedKeyID
	ReInit                 *ReInit
	ExternalInit           []byte // kem_output
	GroupContextExtensions Extensions
	AppDataUpdate          *AppDataUpdate
	AppEphemeral           *ComponentData
	// Opaque is the content of any other type. The RFC gives unknown types no
	// length; this package reads opaque<V>, as every deployed stack does.
	Opaque []byte
}

// ReInit is the proposal to close the group and open another with other
// parameters (RFC 9420, Section 12.1.5).
type ReInit struct {
	GroupID     []byte
	Version     ProtocolVersion
	CipherSuite CipherSuite
	Extensions  Extensions
}

// MarshalTLS encodes p.
func (p *ReInit) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(p.GroupID)
	w.Uint16(uint16(p.Version))
	w.Uint16(uint16(p.CipherSuite))
	p.Extensions.MarshalTLS(w)
}

// UnmarshalTLS decodes p.
func (p *ReInit) UnmarshalTLS(r *tlscodec.Reader) {
	*p = ReInit{GroupID: r.Opaque(), Version: ProtocolVersion(r.Uint16()), CipherSuite: CipherSuite(r.Uint16())}
	p.Extensions.UnmarshalTLS(r)
}

// MarshalTLS encodes p.
func (p *Proposal) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(p.Type))
	// A nil pointer must not reach the encoders.
	missing := false
	switch p.Type {
	case ProposalTypeAdd:
		if missing = p.Add == nil; !missing {
			p.Add.MarshalTLS(w)
		}
	case ProposalTypeUpdate:
		if missing = p.Update == nil; !missing {
			p.Update.MarshalTLS(w)
		}
	case ProposalTypeRemove:
		w.Uint32(uint32(p.Remove))
	case ProposalTypePSK:
		if missing = p.PSK == nil; !missing {
			p.PSK.MarshalTLS(w)
		}
	case ProposalTypeReInit:
		if missing = p.ReInit == nil; !missing {
			p.ReInit.MarshalTLS(w)
		}
	case ProposalTypeExternalInit:
		w.Opaque(p.ExternalInit)
	case ProposalTypeGroupContextExtensions:
		p.GroupContextExtensions.MarshalTLS(w)
	case ProposalTypeAppDataUpdate:
		if missing = p.AppDataUpdate == nil; !missing {
			p.AppDataUpdate.MarshalTLS(w)
		}
	case ProposalTypeAppEphemeral:
		if missing = p.AppEphemeral == nil; !missing {
			p.AppEphemeral.MarshalTLS(w)
		}
	case ProposalTypeSelfRemove:
	default:
		w.Opaque(p.Opaque)
	}
	if missing {
		w.Fail(tlscodec.ErrEncode)
	}
}

// UnmarshalTLS decodes p.
func (p *Proposal) UnmarshalTLS(r *tlscodec.Reader) {
	*p = Proposal{Type: ProposalType(r.Uint16())}
	switch p.Type {
	case ProposalTypeAdd:
		p.Add = new(KeyPackage)
		p.Add.UnmarshalTLS(r)
	case ProposalTypeUpdate:
		p.Update = new(LeafNode)
		p.Update.UnmarshalTLS(r)
	case ProposalTypeRemove:
		p.Remove = LeafIndex(r.Uint32())
	case ProposalTypePSK:
		p.PSK = new(PreSharedKeyID)
		p.PSK.UnmarshalTLS(r)
	case ProposalTypeReInit:
		p.ReInit = new(ReInit)
		p.ReInit.UnmarshalTLS(r)
	case ProposalTypeExternalInit:
		p.ExternalInit = r.Opaque()
	case ProposalTypeGroupContextExtensions:
		p.GroupContextExtensions.UnmarshalTLS(r)
	case ProposalTypeAppDataUpdate:
		p.AppDataUpdate = new(AppDataUpdate)
		p.AppDataUpdate.UnmarshalTLS(r)
	case ProposalTypeAppEphemeral:
		p.AppEphemeral = new(ComponentData)
		p.AppEphemeral.UnmarshalTLS(r)
	case ProposalTypeSelfRemove:
	default:
		p.Opaque = r.Opaque()
	}
}

// ProposalRef is the hash that names a proposal in a commit (RFC 9420, Section
// 5.2). It covers the whole AuthenticatedContent, wire format included.
type ProposalRef []byte

// Equal reports whether r and o name the same proposal.
func (r ProposalRef) Equal(o ProposalRef) bool { return bytes.Equal(r, o) }

// ProposalOrRef is a proposal in a commit, by value or by reference (RFC 9420,
// Section 12.4). Exactly one field is set.
type ProposalOrRef struct {
	Proposal *Proposal
	Ref      ProposalRef
}

const (
	proposalByValue     = 1
	proposalByReference = 2
)

// MarshalTLS encodes p.
func (p *ProposalOrRef) MarshalTLS(w *tlscodec.Writer) {
	if p.Proposal != nil {
		w.Uint8(proposalByValue)
		p.Proposal.MarshalTLS(w)
	} else {
		w.Uint8(proposalByReference)
		w.Opaque(p.Ref)
	}
}

// UnmarshalTLS decodes p.
func (p *ProposalOrRef) UnmarshalTLS(r *tlscodec.Reader) {
	*p = ProposalOrRef{}
	switch r.Uint8() {
	case proposalByValue:
		p.Proposal = new(Proposal)
		p.Proposal.UnmarshalTLS(r)
	case proposalByReference:
		// No suite's hash is shorter than 32 octets.
		if p.Ref = r.Opaque(); r.Err() == nil && len(p.Ref) < 32 {
			r.Fail(tlscodec.ErrValue)
		}
	default:
		r.Fail(tlscodec.ErrValue)
	}
}

// UpdatePathNode is one node of an [UpdatePath] (RFC 9420, Section 7.6).
type UpdatePathNode struct {
	EncryptionKey       []byte // HPKE public key
	EncryptedPathSecret []HPKECiphertext
}

// MarshalTLS encodes n.
func (n *UpdatePathNode) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(n.EncryptionKey)
	writeVector(w, n.EncryptedPathSecret)
}

// UnmarshalTLS decodes n.
func (n *UpdatePathNode) UnmarshalTLS(r *tlscodec.Reader) {
	n.EncryptionKey = r.Opaque()
	n.EncryptedPathSecret = readVector[HPKECiphertext](r)
}

// UpdatePath replaces the keys of a leaf and of the nodes above it (RFC 9420,
// Section 7.6).
type UpdatePath struct {
	LeafNode LeafNode
	Nodes    []UpdatePathNode // the filtered direct path, from the leaf up
}

// MarshalTLS encodes p.
func (p *UpdatePath) MarshalTLS(w *tlscodec.Writer) {
	p.LeafNode.MarshalTLS(w)
	writeVector(w, p.Nodes)
}

// UnmarshalTLS decodes p.
func (p *UpdatePath) UnmarshalTLS(r *tlscodec.Reader) {
	p.LeafNode.UnmarshalTLS(r)
	p.Nodes = readVector[UpdatePathNode](r)
}

// Commit closes an epoch (RFC 9420, Section 12.4).
type Commit struct {
	Proposals []ProposalOrRef
	Path      *UpdatePath // optional
}

// MarshalTLS encodes c.
func (c *Commit) MarshalTLS(w *tlscodec.Writer) {
	writeVector(w, c.Proposals)
	w.Bool(c.Path != nil)
	if c.Path != nil {
		c.Path.MarshalTLS(w)
	}
}

// maxProposals bounds a commit's list. A proposal can be as short as three octets
// and takes some two hundred in memory.
const maxProposals = 1 << 16

// UnmarshalTLS decodes c. More than 65,536 proposals are refused.
func (c *Commit) UnmarshalTLS(r *tlscodec.Reader) {
	c.Proposals = readVectorUpTo[ProposalOrRef](r, maxProposals)
	c.Path = nil
	if r.Bool() {
		c.Path = new(UpdatePath)
		c.Path.UnmarshalTLS(r)
	}
}

// PathRequired reports whether a commit of proposals of these types needs an
// UpdatePath (RFC 9420, Section 12.4): if there are none, or one of a type that
// needs it. A type this package does not know is taken to need it.
func PathRequired(types []ProposalType) bool {
	return len(types) == 0 || slices.ContainsFunc(types, func(t ProposalType) bool { return !t.pathNotRequired() })
}
