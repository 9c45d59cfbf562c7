package epoch

import (
	"fmt"

	"github.com/pseudods/pseudods/mls"
)

// checkList enforces the rules of RFC 9420, Section 12.2, that the list shows
// by itself. It costs no signature and so comes before CheckProposal.
func checkList(committer mls.Sender, list []*Proposal) error {
	for _, p := range list {
		if p.Type == mls.ProposalTypeSelfRemove && p.Ref == nil {
			return ErrSelfRemoveByValue
		}
	}
	var err error
	if committer.Type == mls.SenderTypeNewMemberCommit {
		err = checkExternalList(list)
	} else {
		err = checkMemberList(committer.Leaf, list)
	}
	if err != nil {
		return err
	}
	return checkCommonList(list)
}

// checkMemberList: what a member's commit may hold.
func checkMemberList(committer mls.LeafIndex, list []*Proposal) error {
	groupExtensions := 0
	for _, p := range list {
		switch p.Type {
		case mls.ProposalTypeUpdate:
			if p.Sender.Leaf == committer {
				return ErrCommitterUpdate
			}
		case mls.ProposalTypeRemove:
			if p.Remove == committer {
				return ErrCommitterRemoved
			}
		case mls.ProposalTypeSelfRemove:
			if p.Sender.Leaf == committer {
				return ErrCommitterRemoved
			}
		case mls.ProposalTypeGroupContextExtensions:
			if groupExtensions++; groupExtensions > 1 {
				return ErrTwoGroupExtensions
			}
		case mls.ProposalTypeReInit:
			if len(list) > 1 {
				return ErrReInitNotAlone
			}
		case mls.ProposalTypeExternalInit:
			return ErrExternalInit
		}
	}
	return nil
}

// checkExternalList: what an external commit may hold (RFC 9420, Section
// 12.4.3.2; SelfRemove, AppDataUpdate and AppEphemeral by
// draft-ietf-mls-extensions).
func checkExternalList(list []*Proposal) error {
	inits, removes := 0, 0
	for _, p := range list {
		if p.Ref != nil && p.Type != mls.ProposalTypeSelfRemove {
			return fmt.Errorf("%w: proposal type %v", ErrExternalReference, p.Type)
		}
		switch p.Type {
		case mls.ProposalTypeExternalInit:
			inits++
		case mls.ProposalTypeRemove:
			removes++
		case mls.ProposalTypePSK, mls.ProposalTypeSelfRemove, mls.ProposalTypeAppDataUpdate, mls.ProposalTypeAppEphemeral:
		default:
			return fmt.Errorf("%w: type %v", ErrExternalList, p.Type)
		}
	}
	if inits != 1 {
		return fmt.Errorf("%w: %d in an external commit", ErrExternalInit, inits)
	}
	if removes > 1 {
		return ErrExternalRemove
	}
	return nil
}

// MaxPSKs is how many PSKs one commit may use. Each costs every member a look-up.
const MaxPSKs = 256

// checkCommonList: what no commit may hold.
func checkCommonList(list []*Proposal) error {
	changed := map[mls.LeafIndex]struct{}{}
	clients := map[string]struct{}{}
	type appData struct{ update, remove int }
	components := map[mls.ComponentID]appData{}
	psks := map[string]struct{}{}
	refs := map[string]struct{}{}
	change := func(l mls.LeafIndex) error {
		if _, twice := changed[l]; twice {
			return fmt.Errorf("%w: %d", ErrSameLeaf, l)
		}
		changed[l] = struct{}{}
		return nil
	}
	for _, p := range list {
		if p.Ref != nil {
			if _, twice := refs[string(p.Ref)]; twice {
				return ErrSameReference
			}
			refs[string(p.Ref)] = struct{}{}
		}
		var err error
		switch p.Type {
		case mls.ProposalTypeUpdate, mls.ProposalTypeSelfRemove:
			err = change(p.Sender.Leaf)
		case mls.ProposalTypeRemove:
			err = change(p.Remove)
		case mls.ProposalTypeAdd:
			key := string(p.Add.LeafNode.SignatureKey)
			if _, twice := clients[key]; twice {
				return ErrSameClient
			}
			clients[key] = struct{}{}
		case mls.ProposalTypePSK:
			var id []byte
			if id, err = mls.Marshal(p.PSK); err != nil {
				return err
			}
			if _, twice := psks[string(id)]; twice {
				return ErrSamePSK
			}
			psks[string(id)] = struct{}{}
			if len(psks) > MaxPSKs {
				err = ErrTooManyPSKs
			}
		case mls.ProposalTypeAppDataUpdate:
			c := components[p.AppDataUpdate.ID]
			if p.AppDataUpdate.Operation == mls.AppDataUpdateRemove {
				c.remove++
			} else {
				c.update++
			}
			if c.remove > 1 || (c.remove == 1 && c.update > 0) {
				err = fmt.Errorf("%w: component %d", ErrAppDataList, p.AppDataUpdate.ID)
			}
			components[p.AppDataUpdate.ID] = c
		}
		if err != nil {
			return err
		}
	}
	return nil
}
