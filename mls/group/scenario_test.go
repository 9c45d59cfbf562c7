package group_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
)

// scenarios are played by four members in every cipher suite, and with encrypted
// handshakes in one.
var scenarios = map[string]func(t *testing.T, alice, bob, carol, dave *person){
	"send": func(t *testing.T, alice, bob, carol, dave *person) {
		for _, from := range []*person{alice, bob, carol, dave} {
			m := from.sends("I am " + from.name)
			for _, to := range []*person{alice, bob, carol, dave} {
				if to != from {
					to.hears(m, "I am "+from.name)
				}
			}
		}
	},
	"renew keys": func(t *testing.T, alice, bob, carol, dave *person) {
		for _, p := range []*person{dave, bob, alice, carol, dave} {
			others := without([]*person{alice, bob, carol, dave}, p)
			p.commits(group.CommitOptions{}, others...)
		}
	},
	"add by value without path": func(t *testing.T, alice, bob, carol, dave *person) {
		erin := newPerson(t, alice.CipherSuite(), "erin", same(alice))
		made := bob.commits(values(group.Add(erin.keyPackage())), alice, carol, dave)
		if made.What.Path.New != nil {
			t.Error("path without need")
		}
		erin.joinFrom(bob, made)
		agree(t, alice, erin)
		erin.commits(group.CommitOptions{}, alice, bob, carol, dave)
	},
	"add by value with path": func(t *testing.T, alice, bob, carol, dave *person) {
		erin := newPerson(t, alice.CipherSuite(), "erin", same(alice))
		o := values(group.Add(erin.keyPackage()))
		o.ForcePath = true
		made := bob.commits(o, alice, carol, dave)
		erin.joinFrom(bob, made)
		agree(t, alice, erin)
		alice.commits(group.CommitOptions{}, bob, carol, dave, erin)
	},
	"add by reference": func(t *testing.T, alice, bob, carol, dave *person) {
		erin := newPerson(t, alice.CipherSuite(), "erin", same(alice))
		carol.proposes(group.Add(erin.keyPackage()), alice, bob, dave)
		made := dave.commits(group.CommitOptions{}, alice, bob, carol)
		erin.joinFrom(dave, made)
		agree(t, alice, erin)
	},
	"remove by value": func(t *testing.T, alice, bob, carol, dave *person) {
		made := dave.commits(values(group.Remove(bob.leaf())), alice, carol)
		if r := bob.takes(made.Message); r.Committed.Ended != group.EndRemoved || bob.Ended() != group.EndRemoved {
			t.Error("bob is not told that he was removed")
		}
		alice.hears(carol.sends("x"), "x")
	},
	"remove by reference": func(t *testing.T, alice, bob, carol, dave *person) {
		alice.proposes(group.Remove(dave.leaf()), bob, carol, dave)
		made := bob.commits(group.CommitOptions{}, alice, carol)
		if r := dave.takes(made.Message); r.Committed.Ended != group.EndRemoved {
			t.Error("dave is not told that he was removed")
		}
	},
	"remove and add at once": func(t *testing.T, alice, bob, carol, dave *person) {
		erin := newPerson(t, alice.CipherSuite(), "erin", same(alice))
		made := alice.commits(values(group.Remove(bob.leaf()), group.Add(erin.keyPackage())), carol, dave)
		if made.What.Added[0].Leaf != made.What.Removed[0].Leaf {
			t.Error("the newcomer does not take the vacant leaf")
		}
		erin.joinFrom(alice, made)
		agree(t, carol, erin)
		erin.commits(group.CommitOptions{}, alice, carol, dave)
	},
	"self-remove": func(t *testing.T, alice, bob, carol, dave *person) {
		m := carol.proposes(group.SelfRemove(), alice, bob, dave)
		if m.WireFormat != mls.WireFormatPublicMessage {
			t.Error("SelfRemove is not a PublicMessage")
		}
		made := alice.commits(group.CommitOptions{}, bob, dave)
		if r := carol.takes(made.Message); r.Committed.Ended != group.EndRemoved {
			t.Error("carol is not told that she left")
		}
	},
	"update": func(t *testing.T, alice, bob, carol, dave *person) {
		m, err := dave.ProposeUpdate(nil, group.MessageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		alice.takes(m)
		bob.takes(m)
		carol.takes(m)
		alice.commits(group.CommitOptions{}, bob, carol, dave)
		dave.commits(group.CommitOptions{}, alice, bob, carol)
	},
	"update with new identity": func(t *testing.T, alice, bob, carol, dave *person) {
		fresh := newClient(t, dave.CipherSuite(), "dave the second")
		m, err := dave.ProposeUpdate(&group.LeafChange{Credential: &fresh.Credential, Signer: fresh.Signer}, group.MessageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*person{alice, bob, carol} {
			p.takes(m)
		}
		made := bob.commits(group.CommitOptions{}, alice, carol, dave)
		if !made.What.Updated[0].New.Credential.Equal(&fresh.Credential) {
			t.Error("credential not changed")
		}
		alice.hears(dave.sends("signed with a new key"), "signed with a new key")
		dave.commits(group.CommitOptions{}, alice, bob, carol)
	},
	"commit with new identity": func(t *testing.T, alice, bob, carol, dave *person) {
		fresh := newClient(t, alice.CipherSuite(), "alice the second")
		alice.commits(group.CommitOptions{Leaf: &group.LeafChange{Credential: &fresh.Credential, Signer: fresh.Signer}}, bob, carol, dave)
		bob.hears(alice.sends("it is me"), "it is me")
		alice.commits(group.CommitOptions{}, bob, carol, dave)
	},
	"extensions": func(t *testing.T, alice, bob, carol, dave *person) {
		es := requiring(t, mls.RequiredCapabilities{Proposals: []mls.ProposalType{mls.ProposalTypeSelfRemove}})
		bob.proposes(group.GroupContextExtensions(es), alice, carol, dave)
		alice.commits(group.CommitOptions{}, bob, carol, dave)
		if ctx := dave.Context(); !ctx.Extensions.Equal(es) {
			t.Error("extensions did not change")
		}
		alice.commits(values(group.GroupContextExtensions(nil)), bob, carol, dave)
	},
	"application data": func(t *testing.T, alice, bob, carol, dave *person) {
		u := mls.AppDataUpdate{ID: 0x8001, Operation: mls.AppDataUpdateSet, Update: []byte("topic")}
		made := alice.commits(values(group.AppDataUpdate(u), group.AppEphemeral(mls.ComponentData{ID: 0x8002, Data: []byte("once")})), bob, carol, dave)
		var d mls.AppDataDictionary
		ctx := carol.Context()
		if _, err := ctx.Extensions.Decode(mls.ExtensionTypeAppDataDictionary, &d); err != nil {
			t.Fatal(err)
		}
		if topic, _ := d.Find(0x8001); string(topic) != "topic" {
			t.Errorf("component holds %q", topic)
		}
		if len(made.What.Others) != 1 || string(made.What.Others[0].AppEphemeral.Data) != "once" {
			t.Error("AppEphemeral is lost")
		}
	},
	"external psk": func(t *testing.T, alice, bob, carol, dave *person) {
		for _, p := range []*person{alice, bob, carol, dave} {
			p.store.PutExternalPSK([]byte("k"), secretOf("shared"))
		}
		psk, err := alice.ExternalPSK([]byte("k"))
		if err != nil {
			t.Fatal(err)
		}
		alice.commits(values(psk), bob, carol, dave)
		if psk, err = bob.ExternalPSK([]byte("k")); err != nil {
			t.Fatal(err)
		}
		bob.proposes(psk, alice, carol, dave)
		erin := newPerson(t, alice.CipherSuite(), "erin", same(alice))
		erin.store.PutExternalPSK([]byte("k"), secretOf("shared"))
		made := dave.commits(values(group.Add(erin.keyPackage())), alice, bob, carol)
		erin.joinFrom(dave, made)
		agree(t, alice, erin)
	},
	"resumption psk": func(t *testing.T, alice, bob, carol, dave *person) {
		psk, err := carol.Resumption(carol.GroupID(), carol.Epoch())
		if err != nil {
			t.Fatal(err)
		}
		carol.commits(values(psk), alice, bob, dave)
		if psk, err = carol.Resumption(carol.GroupID(), carol.Epoch()-1); err != nil {
			t.Fatal(err)
		}
		alice.commits(values(psk), bob, carol, dave)
	},
	"everything at once": func(t *testing.T, alice, bob, carol, dave *person) {
		erin := newPerson(t, alice.CipherSuite(), "erin", same(alice))
		m, err := dave.ProposeUpdate(nil, group.MessageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*person{alice, bob, carol} {
			p.takes(m)
		}
		bob.proposes(group.Remove(carol.leaf()), alice, carol, dave)
		psk, err := alice.Resumption(alice.GroupID(), alice.Epoch())
		if err != nil {
			t.Fatal(err)
		}
		made := alice.commits(values(group.Add(erin.keyPackage()), psk, group.GroupContextExtensions(nil)), bob, dave)
		erin.store.PutResumptionPSK(alice.GroupID(), alice.Epoch()-1, resumptionBefore(t, alice))
		erin.joinFrom(alice, made)
		agree(t, dave, erin)
		if r := carol.takes(made.Message); r.Committed.Ended != group.EndRemoved {
			t.Error("carol was not removed")
		}
	},
	"empty commit takes what waits": func(t *testing.T, alice, bob, carol, dave *person) {
		alice.proposes(group.Remove(dave.leaf()), bob, carol, dave)
		_, err := bob.Send([]byte("too early"), group.MessageOptions{})
		wants(t, err, group.ErrUncommitted)
		made := carol.commits(group.CommitOptions{Skip: func(*epoch.Proposal) bool { return true }}, alice, bob, dave)
		if len(made.What.Removed) != 0 || len(alice.Proposals()) != 0 {
			t.Error("a skipped proposal was committed or survived the epoch")
		}
	},
}

func TestScenarios(t *testing.T) {
	for _, c := range mls.CipherSuites() {
		for name, f := range scenarios {
			for framing, change := range map[string]func(*group.Config){"public": public, "private": private} {
				if framing == "private" && c != suite {
					continue // framing and suite do not meet but in the AEAD
				}
				t.Run(fmt.Sprintf("suite=%v/%s/%s", c, framing, name), func(t *testing.T) {
					all := people(t, c, 4, change, func(c *group.Config) { c.ResumptionEpochs = 2 })
					f(t, all[0], all[1], all[2], all[3])
				})
			}
		}
	}
}

// Members of one group prove to another that they are also in the first.
func TestResumptionOfAnotherGroup(t *testing.T) {
	first := people(t, suite, 2)
	second := people(t, suite, 3)
	for i, p := range second {
		if i == 2 {
			continue
		}
		psk, err := first[i].ResumptionPSK()
		if err != nil {
			t.Fatal(err)
		}
		p.store.PutResumptionPSK(first[i].GroupID(), first[i].Epoch(), psk)
	}
	psk, err := second[0].Resumption(first[0].GroupID(), first[0].Epoch())
	if err != nil {
		t.Fatal(err)
	}
	made := second[0].commits(values(psk), second[1])
	second[2].refuses(made.Message, group.ErrPSK)
}

func TestMembers(t *testing.T) {
	all := people(t, suite, 4)
	all[0].commits(values(group.Remove(2)), all[1], all[3])
	var names []string
	err := all[3].EachMember(func(l mls.LeafIndex, leaf *mls.LeafNode) error {
		names = append(names, fmt.Sprintf("%d: %s", l, leaf.Credential.Identity))
		return nil
	})
	if want := []string{"0: member 0", "1: member 1", "3: member 3"}; err != nil || !slices.Equal(names, want) || all[3].Members() != 3 {
		t.Errorf("%q, %v", names, err)
	}
	_, err = all[3].Member(2)
	wants(t, err, epoch.ErrUnknownSender)
}

// overSuites runs f for every cipher suite.
func overSuites(t *testing.T, f func(*testing.T, mls.CipherSuite)) {
	for _, c := range mls.CipherSuites() {
		t.Run(fmt.Sprintf("suite=%v", c), func(t *testing.T) { f(t, c) })
	}
}
