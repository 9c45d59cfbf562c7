package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// groupStructures are examples of all bodies and answers about groups, each with
// an empty one.
func groupStructures() []struct{ full, empty structure } {
	a := &MemberAddress{Secret: secret.New(make([]byte, DeliverySecretSize)), Address: QueueAddress{Domain: "qs.example",
		Sealed: SealedAddress{Kind: AddressBound, KEMOutput: make([]byte, 32), Ciphertext: make([]byte, AddressCiphertextSize)}}}
	part := &RosterPart{3, []byte("part")}
	roster := &Roster{3, [][]byte{[]byte("part"), []byte("another")}}
	franked := FrankedMessage{[]byte("content"), secret.New(make([]byte, 32)), 7, Frank{FrankKeyID{1}, 20000, [64]byte{2}}}
	return []struct{ full, empty structure }{
		{&NewGroupID{GroupID{1}}, new(NewGroupID)},
		{&CreateGroup{GroupID{1}, []byte("info"), []byte("tree"), a, part}, new(CreateGroup)},
		{&GroupCommit{Group: GroupID{1}, Commit: []byte("commit"), PartialGroupInfo: []byte("info"), NextKey: secret.New(make([]byte, 32)),
			Joiners: []Joiner{{secret.New(make([]byte, 32)), []byte("join")}}, Address: a, Roster: part}, new(GroupCommit)},
		{&Accepted{1, 2, [][]byte{[]byte("request")}}, new(Accepted)},
		{&GroupMessage{GroupID{1}, []byte("message")}, new(GroupMessage)},
		{&UpdateAddress{GroupID{1}, *a}, new(UpdateAddress)},
		{&GroupQuery{GroupID{1}}, new(GroupQuery)},
		{&WelcomeInfo{1, 2, []byte("tree"), roster}, new(WelcomeInfo)},
		{&ExternalCommitInfo{[]byte("info"), []byte("tree"), [][]byte{[]byte("remove")}, roster}, new(ExternalCommitInfo)},
		{&GroupPolicy{ProfilePseudonymous, 5, true, false, true, [][]byte{[]byte("admin")}, [][]byte{[]byte("banned")}}, new(GroupPolicy)},
		{&Fanout{Kind: FanoutWelcome, Domain: "ds.example", Group: GroupID{1}, Message: []byte("welcome"), JoinInfo: []byte("join")}, new(Fanout)},
		{&Fanout{Kind: FanoutCommit, Domain: "ds.example", Group: GroupID{1}, Message: []byte("commit"), Roster: part}, new(Fanout)},
		{&Fanout{Kind: FanoutApplication, Domain: "ds.example", Group: GroupID{1}, Message: []byte("message")}, new(Fanout)},
		{&Fanout{Kind: FanoutApplication, Domain: "ds.example", Group: GroupID{1}, Message: []byte("message"), Frank: &franked.Frank}, new(Fanout)},
		{&FrankedContent{secret.New(make([]byte, 32)), []byte("content")}, new(FrankedContent)},
		{&franked.Frank, new(Frank)},
		{&franked, new(FrankedMessage)},
		{&AbuseReport{GroupID{1}, *credential(), []byte("key"), secret.New(make([]byte, 32)), []FrankedMessage{franked, franked}, ReasonSpam, []byte("note")}, new(AbuseReport)},
		{&Fanout{Kind: FanoutTargeted, Domain: "ds.example", Group: GroupID{1}, Message: []byte("content"), Sender: 3}, new(Fanout)},
		{&JoinInfo{secret.New(make([]byte, 32)), secret.New(make([]byte, 32)), 4, secret.New(make([]byte, 32))}, new(JoinInfo)},
		{&JoinInfo{GroupStateKey: secret.New(make([]byte, 32)), DeliverySecret: secret.New(make([]byte, 32))}, new(JoinInfo)},
		{&TargetedMessage{GroupID{1}, 7, []byte("content")}, new(TargetedMessage)},
		{&AccessRequest{GroupID{1}, [32]byte{2}}, new(AccessRequest)},
		{&AccessGrant{8, secret.New(make([]byte, 32))}, new(AccessGrant)},
		{&OutcomeQuery{GroupID{1}, 9}, new(OutcomeQuery)},
		{&CommitOutcome{9, &[32]byte{1}}, new(CommitOutcome)},
		{&CommitOutcome{9, nil}, new(CommitOutcome)},
		{&VerificationKeys{{1}, {2}}, new(VerificationKeys)},
		{&AccountCredential{"alice", "example.org", Pseudonym{1}}, new(AccountCredential)},
	}
}

func TestGroupStructures(t *testing.T) {
	for _, tc := range groupStructures() {
		b, err := mls.Marshal(tc.full)
		if err != nil {
			t.Fatalf("%T: %v", tc.full, err)
		}
		if err := mls.Unmarshal(b, tc.empty); err != nil {
			t.Fatalf("%T: %v", tc.full, err)
		}
		if again, err := mls.Marshal(tc.empty); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%T changes on the way: %v", tc.full, err)
		}
		for n := range b {
			if err := mls.Unmarshal(b[:n], tc.empty); !errors.Is(err, tlscodec.ErrMalformed) {
				t.Errorf("%T: prefix of %d octets: %v", tc.full, n, err)
			}
		}
		if err := mls.Unmarshal(append(b, 0), tc.empty); !errors.Is(err, tlscodec.ErrMalformed) {
			t.Errorf("%T: trailing octet: %v", tc.full, err)
		}
	}
}

func TestGroupCommitHasOneGroupInfo(t *testing.T) {
	for _, c := range []GroupCommit{
		{NextKey: secret.New(make([]byte, 32))},
		{NextKey: secret.New(make([]byte, 32)), GroupInfo: []byte{1}, PartialGroupInfo: []byte{1}},
	} {
		b, err := mls.Marshal(&c)
		if err != nil {
			t.Fatal(err)
		}
		if err := mls.Unmarshal(b, new(GroupCommit)); !errors.Is(err, tlscodec.ErrMalformed) {
			t.Errorf("got %v", err)
		}
	}
}

func TestOwnAddressIsBound(t *testing.T) {
	for kind, want := range map[AddressKind]error{AddressBound: nil, AddressOneTime: tlscodec.ErrMalformed, AddressReusable: tlscodec.ErrMalformed} {
		a := MemberAddress{Secret: secret.New(make([]byte, DeliverySecretSize)), Address: QueueAddress{Domain: "qs.example",
			Sealed: SealedAddress{Kind: kind, KEMOutput: make([]byte, 32), Ciphertext: make([]byte, AddressCiphertextSize)}}}
		for _, s := range []struct{ full, empty structure }{{&UpdateAddress{Address: a}, new(UpdateAddress)}, {&CreateGroup{Address: &a}, new(CreateGroup)}} {
			b, err := mls.Marshal(s.full)
			if err != nil {
				t.Fatal(err)
			}
			if err := mls.Unmarshal(b, s.empty); !errors.Is(err, want) {
				t.Errorf("%T with an address of kind %d: %v", s.full, kind, err)
			}
		}
	}
}

func FuzzGroupStructures(f *testing.F) {
	for i, tc := range groupStructures() {
		b, err := mls.Marshal(tc.full)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		all := groupStructures()
		v := all[int(which)%len(all)].empty
		if mls.Unmarshal(data, v) != nil {
			return
		}
		if again, err := mls.Marshal(v); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%T: %x becomes %x, %v", v, data, again, err)
		}
	})
}
