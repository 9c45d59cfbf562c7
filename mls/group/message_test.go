package group_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
)

func TestMessagesOutOfOrder(t *testing.T) {
	all := people(t, suite, 2, func(c *group.Config) { c.Window = mls.Window{Forward: 64, Backward: 64} })
	alice, bob := all[0], all[1]
	sent := make([]*mls.Message, 50)
	for i := range sent {
		sent[i] = alice.sends(fmt.Sprint(i))
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(sent))
	for n, i := range order {
		if i%7 == 0 {
			continue // lost
		}
		bob.hears(sent[i], fmt.Sprint(i))
		bob.refuses(sent[i], mls.ErrKeyUsed)
		if n == len(order)/2 {
			bob.restores()
			bob.refuses(sent[i], mls.ErrKeyUsed)
		}
	}
	bob.hears(sent[7], "7") // late, but in the window
	alice.hears(bob.sends("done"), "done")
}

func TestMessageWindow(t *testing.T) {
	all := people(t, suite, 2, func(c *group.Config) { c.Window = mls.Window{Forward: 10, Backward: 4} })
	alice, bob := all[0], all[1]
	sent := make([]*mls.Message, 30)
	for i := range sent {
		sent[i] = alice.sends(fmt.Sprint(i))
	}
	bob.refuses(sent[11], mls.ErrTooFarAhead)
	bob.hears(sent[10], "10")
	bob.refuses(sent[5], mls.ErrKeyUsed) // behind the window
	bob.hears(sent[6], "6")
	bob.hears(sent[20], "20")
	bob.refuses(sent[7], mls.ErrKeyUsed)
}

func TestOwnMessagesAreNotForUs(t *testing.T) {
	all := people(t, suite, 2)
	m := all[0].sends("hello")
	all[0].refuses(m, mls.ErrKeyUsed)
	all[1].hears(m, "hello")
}

func TestPastEpochs(t *testing.T) {
	all := people(t, suite, 4, func(c *group.Config) { c.PastEpochs = 2 })
	alice, bob, carol, dave := all[0], all[1], all[2], all[3]
	old := []*mls.Message{bob.sends("a0"), carol.sends("b0"), dave.sends("c0"), bob.sends("d0"), bob.sends("e0")}

	// Bob signs with another key from the next epoch on, and carol's leaf goes
	// to somebody else: old messages verify under the old keys.
	fresh := newClient(t, suite, "bob")
	bob.commits(group.CommitOptions{Leaf: &group.LeafChange{Signer: fresh.Signer}}, alice, carol, dave)
	middle := []*mls.Message{bob.sends("a1"), carol.sends("b1")}
	alice.hears(old[0], "a0")
	alice.refuses(old[0], mls.ErrKeyUsed)

	erin := newPerson(t, suite, "erin", same(alice))
	made := dave.commits(values(group.Remove(carol.leaf()), group.Add(erin.keyPackage())), alice, bob)
	erin.joinFrom(dave, made)
	alice.restores()
	alice.hears(old[1], "b0")
	alice.hears(old[2], "c0")
	alice.hears(old[3], "d0")
	alice.hears(middle[0], "a1")
	alice.hears(middle[1], "b1")
	alice.hears(erin.sends("new here"), "new here")
	erin.refuses(middle[0], epoch.ErrWrongEpoch)

	// Who was removed may still read what was sent before.
	carol.takes(made.Message)
	carol.hears(middle[0], "a1")
	carol.refuses(erin.sends("not for carol"), epoch.ErrWrongEpoch)

	bob.commits(group.CommitOptions{}, alice, dave, erin)
	alice.refuses(old[4], epoch.ErrWrongEpoch) // two epochs are kept
	if past, _ := alice.Kept(); past != 2 {
		t.Errorf("%d past epochs are kept, want 2", past)
	}
}

func TestPastEpochRefusesHandshakes(t *testing.T) {
	all := people(t, suite, 3, private, func(c *group.Config) { c.PastEpochs = 1 })
	alice, bob, carol := all[0], all[1], all[2]
	late, err := bob.Propose(group.Remove(carol.leaf()), group.MessageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	carol.commits(group.CommitOptions{}, alice)
	alice.refuses(late, epoch.ErrWrongEpoch)
}

func TestPadding(t *testing.T) {
	all := people(t, suite, 2, func(c *group.Config) { c.PadTo = 256 })
	sizes := map[int]bool{}
	for n := range 100 {
		text := string(make([]byte, n))
		m := all[0].sends(text)
		sizes[len(m.PrivateMessage.Ciphertext)] = true
		all[1].hears(m, text)
	}
	if len(sizes) != 1 {
		t.Errorf("%d sizes for messages that are padded alike", len(sizes))
	}
}

func TestAuthenticatedData(t *testing.T) {
	all := people(t, suite, 2)
	m, err := all[0].Send([]byte("x"), group.MessageOptions{AuthenticatedData: []byte("seen by all")})
	if err != nil {
		t.Fatal(err)
	}
	changed := over(t, m)
	changed.PrivateMessage.AuthenticatedData = []byte("seen by fall")
	all[1].refuses(changed, mls.ErrDecrypt)
	if r := all[1].takes(m); string(r.AuthenticatedData) != "seen by all" || r.Sender.Leaf != 0 {
		t.Errorf("%q from leaf %d", r.AuthenticatedData, r.Sender.Leaf)
	}
}

func TestExport(t *testing.T) {
	all := people(t, suite, 2)
	a, err := all[0].Export("label", []byte("context"), 40)
	if err != nil {
		t.Fatal(err)
	}
	b, err := all[1].Export("label", []byte("context"), 40)
	if err != nil || !a.Equal(b) || a.Len() != 40 {
		t.Errorf("members export different secrets: %v", err)
	}
	for _, other := range []struct{ label, context string }{{"label2", "context"}, {"label", "context2"}} {
		if c, err := all[0].Export(other.label, []byte(other.context), 40); err != nil || c.Equal(a) {
			t.Errorf("%v: the same secret, %v", other, err)
		}
	}
	_, err = all[0].Export("label", nil, 255*32+1)
	wants(t, err, mls.ErrExportLength)
	all[0].commits(group.CommitOptions{}, all[1])
	if c, err := all[0].Export("label", []byte("context"), 40); err != nil || c.Equal(a) {
		t.Errorf("the same secret in the next epoch, %v", err)
	}
}

// TestKeyOfALateSender: who is at a sender's leaf by now is not taken for it.
func TestKeyOfALateSender(t *testing.T) {
	all := people(t, suite, 3, func(c *group.Config) { c.PastEpochs = 2 })
	alice, bob, carol := all[0], all[1], all[2]
	keyAt := func(l mls.LeafIndex) string {
		t.Helper()
		leaf, err := carol.Member(l)
		if err != nil {
			t.Fatal(err)
		}
		return string(leaf.SignatureKey)
	}
	place := bob.leaf()
	key := keyAt(place)
	now, late := bob.sends("now"), bob.sends("late")
	if r := carol.takes(now); string(r.SignatureKey) != key {
		t.Error("a message is not of its sender's key")
	}
	alice.commits(values(group.Remove(place)), carol)
	dave := newPerson(t, suite, "dave")
	alice.commits(values(group.Add(dave.keyPackage())), carol)
	if keyAt(place) == key {
		t.Fatal("nobody took the place")
	}
	if r := carol.takes(late); r.Sender.Leaf != place || string(r.SignatureKey) != key {
		t.Error("a late message is taken for another's")
	}
}
