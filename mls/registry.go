package mls

import "fmt"

// ProtocolVersion is the version of MLS (RFC 9420, Section 6).
type ProtocolVersion uint16

// MLS10 is MLS 1.0, the only version there is.
const MLS10 ProtocolVersion = 1

// WireFormat says what an [Message] holds (RFC 9420, Section 17.2).
type WireFormat uint16

const (
	WireFormatPublicMessage  WireFormat = 0x0001
	WireFormatPrivateMessage WireFormat = 0x0002
	WireFormatWelcome        WireFormat = 0x0003
	WireFormatGroupInfo      WireFormat = 0x0004
	WireFormatKeyPackage     WireFormat = 0x0005
)

// ContentType says what a [FramedContent] holds (RFC 9420, Section 6).
type ContentType uint8

const (
	ContentTypeApplication ContentType = 1
	ContentTypeProposal    ContentType = 2
	ContentTypeCommit      ContentType = 3
)

// SenderType says who sent a [FramedContent] (RFC 9420, Section 6).
type SenderType uint8

const (
	SenderTypeMember            SenderType = 1
	SenderTypeExternal          SenderType = 2
	SenderTypeNewMemberProposal SenderType = 3
	SenderTypeNewMemberCommit   SenderType = 4
)

// ProposalType is a kind of [Proposal] (RFC 9420, Section 17.4, and
// draft-ietf-mls-extensions).
type ProposalType uint16

const (
	ProposalTypeAdd                    ProposalType = 0x0001
	ProposalTypeUpdate                 ProposalType = 0x0002
	ProposalTypeRemove                 ProposalType = 0x0003
	ProposalTypePSK                    ProposalType = 0x0004
	ProposalTypeReInit                 ProposalType = 0x0005
	ProposalTypeExternalInit           ProposalType = 0x0006
	ProposalTypeGroupContextExtensions ProposalType = 0x0007
	ProposalTypeAppDataUpdate          ProposalType = 0x0008
	ProposalTypeAppEphemeral           ProposalType = 0x0009
	ProposalTypeSelfRemove             ProposalType = 0x000A
)

// IsDefault reports whether t is one of the types that every client supports
// and none may list in its capabilities (RFC 9420, Section 7.2).
func (t ProposalType) IsDefault() bool {
	return t >= ProposalTypeAdd && t <= ProposalTypeGroupContextExtensions
}

// pathNotRequired: RFC 9420, Section 17.4, column "Path Required". A type that
// is not known may need a path, and assuming so is the safe side.
func (t ProposalType) pathNotRequired() bool {
	switch t {
	case ProposalTypeAdd, ProposalTypePSK, ProposalTypeReInit, ProposalTypeAppDataUpdate, ProposalTypeAppEphemeral:
		return true
	}
	return false
}

// ExtensionType is a kind of [Extension] (RFC 9420, Section 17.3, and
// draft-ietf-mls-extensions).
type ExtensionType uint16

const (
	ExtensionTypeApplicationID        ExtensionType = 0x0001
	ExtensionTypeRatchetTree          ExtensionType = 0x0002
	ExtensionTypeRequiredCapabilities ExtensionType = 0x0003
	ExtensionTypeExternalPub          ExtensionType = 0x0004
	ExtensionTypeExternalSenders      ExtensionType = 0x0005
	ExtensionTypeAppDataDictionary    ExtensionType = 0x0006
	ExtensionTypeSupportedWireFormats ExtensionType = 0x0007
	ExtensionTypeRequiredWireFormats  ExtensionType = 0x0008
	ExtensionTypeTargetedMessages     ExtensionType = 0x0009
	// ExtensionTypeLastResort marks a KeyPackage that may be used more than
	// once. Deployed clients use this extension; the draft since moved the mark
	// to a component of app_data_dictionary. [KeyPackage.LastResort] knows both.
	ExtensionTypeLastResort ExtensionType = 0x000A
)

// IsDefault reports whether t is one of the types that every client supports
// and none may list in its capabilities (RFC 9420, Section 7.2).
func (t ExtensionType) IsDefault() bool {
	return t >= ExtensionTypeApplicationID && t <= ExtensionTypeExternalSenders
}

// CredentialType is a kind of [Credential] (RFC 9420, Section 17.5).
type CredentialType uint16

const (
	CredentialTypeBasic CredentialType = 0x0001
	CredentialTypeX509  CredentialType = 0x0002
)

// LeafNodeSource says where a [LeafNode] came from (RFC 9420, Section 7.2).
type LeafNodeSource uint8

const (
	LeafNodeSourceKeyPackage LeafNodeSource = 1
	LeafNodeSourceUpdate     LeafNodeSource = 2
	LeafNodeSourceCommit     LeafNodeSource = 3
)

// PSKType is a kind of pre-shared key (RFC 9420, Section 8.4).
type PSKType uint8

const (
	PSKTypeExternal   PSKType = 1
	PSKTypeResumption PSKType = 2
)

// ResumptionPSKUsage says what a resumption PSK is for (RFC 9420, Section 8.4).
type ResumptionPSKUsage uint8

const (
	ResumptionPSKUsageApplication ResumptionPSKUsage = 1
	ResumptionPSKUsageReInit      ResumptionPSKUsage = 2
	ResumptionPSKUsageBranch      ResumptionPSKUsage = 3
)

// IsGREASE reports whether v is one of the 2-octet values that are reserved so
// that implementations exercise their handling of the unknown (RFC 9420,
// Section 13.5).
func IsGREASE[T ~uint16](v T) bool {
	return v&0x0f0f == 0x0a0a && v>>8 == v&0xff && v != 0xfafa
}

func (c CipherSuite) String() string   { return fmt.Sprintf("0x%04x", uint16(c)) }
func (t ProposalType) String() string  { return fmt.Sprintf("0x%04x", uint16(t)) }
func (t ExtensionType) String() string { return fmt.Sprintf("0x%04x", uint16(t)) }
