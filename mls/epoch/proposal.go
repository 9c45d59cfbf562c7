package epoch

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// Proposal is a proposal with what the rules need to know of its message.
type Proposal struct {
	*mls.Proposal
	Sender mls.Sender
	// Ref is set if the commit names the proposal instead of holding it.
	Ref mls.ProposalRef
	// Checked tells [State.Apply] that [State.CheckProposal] accepted it in
	// this epoch, so that signatures are not verified twice.
	Checked bool
}

// NewProposal takes a standalone proposal message apart, checks the proposal by
// itself and names it. The message must have passed [State.VerifyContent].
func (s *State) NewProposal(a *mls.AuthenticatedContent) (*Proposal, error) {
	p := &Proposal{Proposal: a.Content.Proposal, Sender: a.Content.Sender}
	if p.Type == mls.ProposalTypeSelfRemove && a.WireFormat != mls.WireFormatPublicMessage {
		return nil, ErrSelfRemoveFraming
	}
	if err := s.CheckProposal(p); err != nil {
		return nil, err
	}
	ref, err := a.ProposalRef(s.Suite)
	if err != nil {
		return nil, err
	}
	p.Ref, p.Checked = ref, true
	return p, nil
}

// CheckProposal checks one proposal by itself, against this epoch (RFC 9420,
// Section 12.1). Rules that only the whole list shows broken are
// [State.Apply]'s. Errors wrap [ErrProposal], or what the KeyPackage and leaf
// checks of package mls return.
func (s *State) CheckProposal(p *Proposal) error {
	switch p.Type {
	case mls.ProposalTypeAdd: // Section 12.1.1
		return p.Add.Verify(s.Suite)
	case mls.ProposalTypeUpdate: // Section 12.1.2
		return s.checkUpdate(p)
	case mls.ProposalTypeRemove: // Section 12.1.3
		_, err := s.Tree.Leaf(p.Remove)
		if errors.Is(err, tree.ErrNoMember) {
			return fmt.Errorf("%w: %d", ErrRemoveBlank, p.Remove)
		}
		return err
	case mls.ProposalTypePSK: // Section 12.1.4
		if len(p.PSK.Nonce) != s.Suite.HashSize() {
			return ErrPSKNonce
		}
		// Reinitialisation and branching are the first commit of a new group
		// (Sections 11.2 and 11.3).
		if p.PSK.Type == mls.PSKTypeResumption && p.PSK.Usage != mls.ResumptionPSKUsageApplication && s.Context.Epoch != 0 {
			return ErrPSKUsage
		}
	case mls.ProposalTypeReInit: // Section 12.1.5
		if p.ReInit.Version < s.Context.Version {
			return ErrReInitVersion
		}
	case mls.ProposalTypeExternalInit: // Section 12.1.6
		if err := s.Suite.CheckKEMOutput(p.ExternalInit); err != nil {
			return fmt.Errorf("%w: %w", ErrKEMOutput, err)
		}
	case mls.ProposalTypeGroupContextExtensions: // Section 12.1.7
		return s.checkGroupExtensions(p.GroupContextExtensions)
	case mls.ProposalTypeSelfRemove:
		if p.Sender.Type != mls.SenderTypeMember {
			return ErrSelfRemoveFraming
		}
		_, err := s.Leaf(p.Sender.Leaf)
		return err
	}
	return nil
}

func (s *State) checkUpdate(p *Proposal) error {
	if p.Sender.Type != mls.SenderTypeMember {
		return ErrUpdateSender
	}
	old, err := s.Leaf(p.Sender.Leaf)
	if err != nil {
		return err
	}
	if bytes.Equal(old.EncryptionKey, p.Update.EncryptionKey) {
		return ErrUpdateKey
	}
	if err := p.Update.Check(s.Suite, mls.LeafNodeSourceUpdate); err != nil {
		return err
	}
	return p.Update.VerifySignature(s.Suite, s.Context.GroupID, p.Sender.Leaf)
}

func (s *State) checkGroupExtensions(es mls.Extensions) error {
	if err := CheckGroupExtensions(s.Suite, es); err != nil {
		return err
	}
	if !requiresAppDataUpdate(s.Context.Extensions) {
		return nil
	}
	old, had := s.Context.Extensions.Find(mls.ExtensionTypeAppDataDictionary)
	now, has := es.Find(mls.ExtensionTypeAppDataDictionary)
	if had != has || !bytes.Equal(old, now) {
		return ErrAppDataDictionary
	}
	return nil
}

// CheckGroupExtensions checks the extensions of a GroupContext by themselves:
// each type stands once and may stand there, and those this package knows are
// well-formed. Errors wrap [ErrGroupExtension].
func CheckGroupExtensions(s *mls.Suite, es mls.Extensions) error {
	if err := es.CheckUnique(); err != nil {
		return fmt.Errorf("%w: %w", ErrGroupExtension, err)
	}
	for _, e := range es {
		var err error
		switch e.Type {
		case mls.ExtensionTypeRatchetTree, mls.ExtensionTypeExternalPub, mls.ExtensionTypeApplicationID, mls.ExtensionTypeLastResort, mls.ExtensionTypeSupportedWireFormats:
			return fmt.Errorf("%w: type %v does not belong in a GroupContext", ErrGroupExtension, e.Type)
		case mls.ExtensionTypeRequiredCapabilities:
			err = mls.Unmarshal(e.Data, new(mls.RequiredCapabilities))
		case mls.ExtensionTypeAppDataDictionary:
			err = mls.Unmarshal(e.Data, new(mls.AppDataDictionary))
		case mls.ExtensionTypeExternalSenders:
			var senders mls.ExternalSenders
			err = mls.Unmarshal(e.Data, &senders)
			for i := range senders {
				if err == nil {
					err = s.CheckSignaturePublicKey(senders[i].SignatureKey)
				}
			}
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrGroupExtension, err)
		}
	}
	return nil
}

func requiredCapabilities(es mls.Extensions) (*mls.RequiredCapabilities, error) {
	r := new(mls.RequiredCapabilities)
	_, err := es.Decode(mls.ExtensionTypeRequiredCapabilities, r)
	return r, err
}

func requiresAppDataUpdate(es mls.Extensions) bool {
	r, err := requiredCapabilities(es)
	if err != nil {
		return false
	}
	return slices.Contains(r.Proposals, mls.ProposalTypeAppDataUpdate)
}
