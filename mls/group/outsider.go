package group

import (
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
)

// ProposeAsExternal makes a proposal of an external sender (RFC 9420, Section
// 12.1.8): one that the group's external_senders extension lists at index, with
// signer's public key. It fails with [mls.ErrSender] if external senders may not
// send the proposal.
func ProposeAsExternal(s *mls.Suite, groupID []byte, epoch uint64, index uint32, signer *mls.SignatureKey, p *mls.Proposal) (*mls.Message, error) {
	return proposeFromOutside(s, groupID, epoch, mls.Sender{Type: mls.SenderTypeExternal, Index: index}, signer, p)
}

// ProposeJoin makes a newcomer's proposal to be added (RFC 9420, Section
// 12.1.8). signer must be the key of the KeyPackage's leaf.
func ProposeJoin(s *mls.Suite, groupID []byte, epoch uint64, signer *mls.SignatureKey, p *mls.KeyPackage) (*mls.Message, error) {
	return proposeFromOutside(s, groupID, epoch, mls.Sender{Type: mls.SenderTypeNewMemberProposal}, signer, Add(p))
}

func proposeFromOutside(s *mls.Suite, groupID []byte, epoch uint64, sender mls.Sender, signer *mls.SignatureKey, p *mls.Proposal) (*mls.Message, error) {
	a := &mls.AuthenticatedContent{WireFormat: mls.WireFormatPublicMessage, Content: mls.FramedContent{
		GroupID: groupID, Epoch: epoch, Sender: sender, ContentType: mls.ContentTypeProposal, Proposal: p,
	}}
	if err := a.CheckSender(); err != nil {
		return nil, err
	}
	if err := a.Sign(signer, nil); err != nil {
		return nil, err
	}
	m, err := mls.NewPublicMessage(s, a, secret.Bytes{}, nil)
	return &mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: m}, err
}
