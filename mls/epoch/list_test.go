package epoch

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

// newRef names each proposal differently.
func newRef() mls.ProposalRef {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return b
}

func member(l mls.LeafIndex) mls.Sender { return mls.Sender{Type: mls.SenderTypeMember, Leaf: l} }

// proposal makes a proposal from member 1, which is by reference unless the
// committer, member 0, could have sent it by value.
func proposal(p mls.Proposal) *Proposal {
	return &Proposal{Proposal: &p, Sender: member(1), Ref: newRef()}
}

func byValue(p mls.Proposal) *Proposal { return &Proposal{Proposal: &p, Sender: member(0)} }

func TestListRules(t *testing.T) {
	client := func(key byte) *mls.KeyPackage {
		return &mls.KeyPackage{LeafNode: mls.LeafNode{SignatureKey: []byte{key}}}
	}
	var (
		update     = mls.Proposal{Type: mls.ProposalTypeUpdate}
		selfRemove = mls.Proposal{Type: mls.ProposalTypeSelfRemove}
		extensions = mls.Proposal{Type: mls.ProposalTypeGroupContextExtensions}
		reInit     = mls.Proposal{Type: mls.ProposalTypeReInit}
		init       = mls.Proposal{Type: mls.ProposalTypeExternalInit}
		psk        = mls.Proposal{Type: mls.ProposalTypePSK, PSK: &mls.PreSharedKeyID{Type: mls.PSKTypeExternal, ID: []byte{1}}}
		otherPSK   = mls.Proposal{Type: mls.ProposalTypePSK, PSK: &mls.PreSharedKeyID{Type: mls.PSKTypeExternal, ID: []byte{2}}}
		remove     = func(l mls.LeafIndex) mls.Proposal { return mls.Proposal{Type: mls.ProposalTypeRemove, Remove: l} }
		add        = func(key byte) mls.Proposal { return mls.Proposal{Type: mls.ProposalTypeAdd, Add: client(key)} }
		data       = func(id mls.ComponentID, op mls.AppDataUpdateOperation) mls.Proposal {
			return mls.Proposal{Type: mls.ProposalTypeAppDataUpdate, AppDataUpdate: &mls.AppDataUpdate{ID: id, Operation: op}}
		}
	)
	joiner := mls.Sender{Type: mls.SenderTypeNewMemberCommit}
	ephemeral := proposal(mls.Proposal{Type: mls.ProposalTypeAppEphemeral})
	for name, tc := range map[string]struct {
		committer mls.Sender
		list      []*Proposal
		want      error
	}{
		"empty":                     {member(0), nil, nil},
		"one of each":               {member(0), []*Proposal{proposal(update), byValue(remove(2)), byValue(add(1)), byValue(add(2)), byValue(psk), byValue(otherPSK), byValue(extensions)}, nil},
		"update from committer":     {member(1), []*Proposal{proposal(update)}, ErrCommitterUpdate},
		"committer removed":         {member(0), []*Proposal{proposal(remove(0))}, ErrCommitterRemoved},
		"committer's SelfRemove":    {member(1), []*Proposal{proposal(selfRemove)}, ErrCommitterRemoved},
		"SelfRemove by value":       {member(0), []*Proposal{byValue(selfRemove)}, ErrSelfRemoveByValue},
		"SelfRemove":                {member(0), []*Proposal{proposal(selfRemove)}, nil},
		"two Removes of a leaf":     {member(0), []*Proposal{byValue(remove(2)), proposal(remove(2))}, ErrSameLeaf},
		"Update and Remove":         {member(0), []*Proposal{proposal(update), byValue(remove(1))}, ErrSameLeaf},
		"SelfRemove and Remove":     {member(0), []*Proposal{proposal(selfRemove), byValue(remove(1))}, ErrSameLeaf},
		"SelfRemove twice":          {member(0), []*Proposal{proposal(selfRemove), proposal(selfRemove)}, ErrSameLeaf},
		"one reference twice":       {member(0), []*Proposal{ephemeral, ephemeral}, ErrSameReference},
		"client added twice":        {member(0), []*Proposal{byValue(add(1)), proposal(add(1))}, ErrSameClient},
		"PSK twice":                 {member(0), []*Proposal{byValue(psk), proposal(psk)}, ErrSamePSK},
		"two extension lists":       {member(0), []*Proposal{byValue(extensions), proposal(extensions)}, ErrTwoGroupExtensions},
		"ReInit":                    {member(0), []*Proposal{byValue(reInit)}, nil},
		"ReInit and another":        {member(0), []*Proposal{byValue(reInit), byValue(psk)}, ErrReInitNotAlone},
		"ExternalInit from member":  {member(0), []*Proposal{byValue(init)}, ErrExternalInit},
		"external":                  {joiner, []*Proposal{byValue(init)}, nil},
		"external with all it may":  {joiner, []*Proposal{byValue(init), byValue(remove(3)), byValue(psk), proposal(selfRemove), byValue(data(1, mls.AppDataUpdateSet))}, nil},
		"external without init":     {joiner, []*Proposal{byValue(psk)}, ErrExternalInit},
		"external with two inits":   {joiner, []*Proposal{byValue(init), byValue(init)}, ErrExternalInit},
		"external with two Removes": {joiner, []*Proposal{byValue(init), byValue(remove(2)), byValue(remove(3))}, ErrExternalRemove},
		"external with Add":         {joiner, []*Proposal{byValue(init), byValue(add(1))}, ErrExternalList},
		"external with Update":      {joiner, []*Proposal{byValue(init), byValue(update)}, ErrExternalList},
		"external with extensions":  {joiner, []*Proposal{byValue(init), byValue(extensions)}, ErrExternalList},
		"external with ReInit":      {joiner, []*Proposal{byValue(init), byValue(reInit)}, ErrExternalList},
		"external by reference":     {joiner, []*Proposal{byValue(init), proposal(remove(3))}, ErrExternalReference},
		"external PSK twice":        {joiner, []*Proposal{byValue(init), byValue(psk), byValue(psk)}, ErrSamePSK},
		"data updates of one":       {member(0), []*Proposal{byValue(data(1, mls.AppDataUpdateSet)), byValue(data(1, mls.AppDataUpdateSet))}, nil},
		"data removed twice":        {member(0), []*Proposal{byValue(data(1, mls.AppDataUpdateRemove)), byValue(data(1, mls.AppDataUpdateRemove))}, ErrAppDataList},
		"data updated and removed":  {member(0), []*Proposal{byValue(data(1, mls.AppDataUpdateSet)), byValue(data(1, mls.AppDataUpdateRemove))}, ErrAppDataList},
		"data of two components":    {member(0), []*Proposal{byValue(data(1, mls.AppDataUpdateSet)), byValue(data(2, mls.AppDataUpdateRemove))}, nil},
	} {
		if err := checkList(tc.committer, tc.list); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		} else if err != nil && !errors.Is(err, ErrProposalList) && !errors.Is(err, ErrProposal) {
			t.Errorf("%s: %v is outside the families", name, err)
		}
	}
}

func TestGroupExtensions(t *testing.T) {
	s, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		t.Fatal(err)
	}
	with := func(typ mls.ExtensionType, data ...byte) mls.Extensions {
		return mls.Extensions{{Type: typ, Data: data}}
	}
	senders, err := mls.Extensions{}.With(mls.ExtensionTypeExternalSenders, &mls.ExternalSenders{{SignatureKey: make([]byte, 32), Credential: mls.BasicCredential(nil)}})
	if err != nil {
		t.Fatal(err)
	}
	badSenders, err := mls.Extensions{}.With(mls.ExtensionTypeExternalSenders, &mls.ExternalSenders{{SignatureKey: make([]byte, 31), Credential: mls.BasicCredential(nil)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		es mls.Extensions
		ok bool
	}{
		"none":                       {nil, true},
		"unknown":                    {with(0xF000, 1, 2, 3), true},
		"required capabilities":      {with(mls.ExtensionTypeRequiredCapabilities, 0, 0, 0), true},
		"malformed capabilities":     {with(mls.ExtensionTypeRequiredCapabilities, 0, 0), false},
		"senders":                    {senders, true},
		"sender with a short key":    {badSenders, false},
		"malformed senders":          {with(mls.ExtensionTypeExternalSenders, 9), false},
		"malformed dictionary":       {with(mls.ExtensionTypeAppDataDictionary, 9), false},
		"ratchet tree":               {with(mls.ExtensionTypeRatchetTree, 0), false},
		"external pub":               {with(mls.ExtensionTypeExternalPub, 0), false},
		"repeated unknown":           {mls.Extensions{{Type: 0xF000}, {Type: 0xF000}}, false},
		"repeated among other types": {mls.Extensions{{Type: 0xF000}, {Type: 0xF001}, {Type: 0xF000}}, false},
	} {
		if err := CheckGroupExtensions(s, tc.es); (err == nil) != tc.ok || (err != nil && !errors.Is(err, ErrGroupExtension)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
