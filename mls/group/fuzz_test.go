package group_test

import (
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
)

// mutate changes one octet of b, deletes some, or repeats some, as how says.
func mutate(b []byte, at uint16, how, what byte) []byte {
	if len(b) == 0 {
		return b
	}
	i := int(at) % len(b)
	out := append([]byte(nil), b...)
	switch n := min(int(what), len(b)-i); how % 4 {
	case 0:
		out[i] ^= what
	case 1:
		out = append(out[:i], out[i+n:]...)
	case 2:
		out = append(out[:i+n], b[i:]...)
	case 3:
		out[i] = what
	}
	return out
}

// FuzzProcess: a message that was tampered with does no harm. It is refused and
// the state stays as it was, unless it is one that the sender did send.
func FuzzProcess(f *testing.F) {
	all := people(f, suite, 4, func(c *group.Config) { c.PastEpochs = 1 })
	alice, bob, carol := all[0], all[1], all[2]
	late := carol.sends("late")
	alice.commits(group.CommitOptions{}, all[1:]...)
	state := bob.state()
	eve := newPerson(f, suite, "eve")
	_, joining, err := group.JoinExternal(eve.cfg, eve.client, alice.groupInfo(open), group.ExternalOptions{})
	if err != nil {
		f.Fatal(err)
	}
	erin := newPerson(f, suite, "erin")
	encrypted, err := alice.Commit(group.CommitOptions{WireFormat: mls.WireFormatPrivateMessage})
	if err != nil {
		f.Fatal(err)
	}
	alice.Discard()
	clear := alice.drafts(values(group.Add(erin.keyPackage()), group.Remove(2)))
	alice.Discard()
	messages := []*mls.Message{late, joining.Message, encrypted.Message, clear.Message, alice.sends("hello"),
		alice.proposes(group.Remove(2)), alice.proposes(group.Add(erin.keyPackage())), carol.proposes(group.SelfRemove())}
	var sent [][]byte
	for i, m := range messages {
		b, err := mls.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		sent = append(sent, b)
		for _, at := range []uint16{0, 3, 40, 77, uint16(len(b) / 2), uint16(len(b) - 1)} {
			f.Add(byte(i), at, byte(0), byte(1))
			f.Add(byte(i), at, byte(1), byte(3))
			f.Add(byte(i), at, byte(2), byte(3))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, at uint16, how, what byte) {
		good := sent[int(which)%len(sent)]
		bad := mutate(good, at, how, what)
		m := new(mls.Message)
		if mls.Unmarshal(bad, m) != nil {
			return
		}
		g, err := group.Restore(bob.cfg, state)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Process(m); err == nil {
			if string(bad) != string(good) {
				t.Fatal("a message that nobody sent was accepted")
			}
			return
		}
		after, err := g.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if string(after.Reveal()) != string(state) {
			t.Fatal("refused, but the state changed")
		}
		if err := mls.Unmarshal(good, m); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Process(m); err != nil {
			t.Fatalf("the message as it was sent: %v", err)
		}
	})
}

// FuzzRestore: no state makes a member panic, neither when it is restored nor
// when it is used.
func FuzzRestore(f *testing.F) {
	alice, bob := busy(f, suite)
	commit, err := mls.Marshal(alice.Pending().Message)
	if err != nil {
		f.Fatal(err)
	}
	ended := people(f, suite, 2)
	ended[1].takes(ended[0].commits(values(group.Remove(1))).Message)
	for _, p := range []*person{alice, bob, ended[1]} {
		f.Add(p.state())
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		g, err := group.Restore(bob.cfg, state)
		if err != nil {
			return
		}
		again, err := g.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if string(again.Reveal()) != string(state) {
			t.Fatal("a state has two encodings")
		}
		m := new(mls.Message)
		if err := mls.Unmarshal(commit, m); err != nil {
			t.Fatal(err)
		}
		// What these return depends on the state; that they return is the test.
		_, _ = g.Process(m)
		_, _ = g.Send([]byte("x"), group.MessageOptions{})
		_, _ = g.Merge()
		_, _ = g.Commit(group.CommitOptions{})
		_, _ = g.Merge()
		_, _ = g.GroupInfo(open)
	})
}
