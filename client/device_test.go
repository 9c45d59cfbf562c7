package client_test

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/secret"
)

// linkWith makes another client of the user who handed out a code.
func (p *person) linkWith(code secret.Bytes, name string) *person {
	p.w.Helper()
	d := &person{w: p.w, name: p.name, dir: filepath.Join(p.w.TempDir(), "vault")}
	d.open()
	d.Client = must(client.Link(p.w.Context(), d.cfg, must(account.ParseLink(code)), name))
	p.w.all = append(p.w.all, d)
	return d
}

// links makes another client of p, which p has taken notice of.
func (p *person) links(name string) *person {
	p.w.Helper()
	d := p.linkWith(must(p.LinkCode("first")), name)
	p.until(client.EventDevice)
	d.sync()
	return d
}

// settled syncs all clients until the condition holds.
func (w *world) settled(what string, holds func() bool, all ...*person) {
	w.Helper()
	for end := time.Now().Add(longest); !holds(); {
		if time.Now().After(end) {
			w.Fatalf("in vain: %s", what)
		}
		for _, p := range all {
			p.sync()
		}
	}
}

// isIn reports whether p is a member of the group.
func (p *person) isIn(g *client.Group) bool {
	for _, own := range p.Groups() {
		if own.ID() == g.ID() {
			return own.State() == client.StateActive
		}
	}
	return false
}

func (p *person) devices() (out []string) {
	for _, d := range p.Devices() {
		out = append(out, d.Name)
	}
	return out
}

// ownTexts is what p has read of texts that one of the user's own clients sent.
func (p *person) ownTexts() (out []string) {
	for _, e := range p.heard {
		if e.Kind == client.EventMessage && e.Member.OwnUser && !e.Member.Own {
			out = append(out, string(e.Text))
		}
	}
	return out
}

func TestTwoDevices(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{Admin: true}, "bob", "alice")
	bob, alice := all[0], all[1]
	phone := alice.links("phone")
	equal(t, "alice's devices", alice.devices(), "phone")
	equal(t, "the phone's devices", phone.devices(), "first")
	w.settled("the phone comes in", func() bool { return phone.isIn(g) && len(bob.names(g)) == 3 }, alice, phone, bob)
	for _, p := range []*person{alice, phone, bob} {
		p.sync()
		equal(t, "members as seen by "+p.name, p.names(g), "alice", "alice", "bob")
	}
	if c, err := phone.Account().Contact("bob"); err != nil || c.State != account.ContactAccepted {
		t.Errorf("the phone's contact: %+v, %v", c, err)
	}
	members := must(phone.in(g).Members())
	if n := slices.IndexFunc(members, func(m client.Member) bool { return m.OwnUser != (m.Name == "alice") }); n >= 0 {
		t.Errorf("%+v", members[n])
	}
	users := map[string]bool{}
	for _, m := range must(bob.in(g).Members()) {
		users[m.User] = true
		if m.OwnUser != (m.Name == "bob") {
			t.Errorf("%+v", m)
		}
	}
	if len(users) != 2 {
		t.Errorf("%d users", len(users))
	}

	bob.says(g, "to both")
	alice.sync()
	phone.sync()
	phone.says(g, "from the phone")
	alice.sync()
	alice.says(g, "from the desk")
	for _, p := range []*person{alice, phone, bob} {
		p.sync()
	}
	equal(t, "what bob read", bob.texts(), "alice: from the phone", "alice: from the desk")
	equal(t, "what alice read", alice.texts(), "bob: to both", "alice: from the phone")
	equal(t, "what alice wrote elsewhere", alice.ownTexts(), "from the phone")
	equal(t, "what the phone read", phone.texts(), "bob: to both", "alice: from the desk")
	agree(g, alice, phone, bob)

	// A contact that one of them makes, the other has; and so it is with groups.
	carol := w.person("carol")
	phone.meets(carol)
	phone.sync()
	alice.sync()
	if c, err := alice.Account().Contact("carol"); err != nil || c.State != account.ContactAccepted {
		t.Errorf("alice's contact: %+v, %v", c, err)
	}
	h := alice.create("others", client.GroupOptions{})
	alice.invites(h, carol)
	w.settled("the phone comes in", func() bool { return phone.isIn(h) }, alice, phone, carol)
	if l := phone.in(h).Label(); l != "others" {
		t.Errorf("label %q", l)
	}

	// Bob removes alice: that is both of them.
	bob.ok(bob.in(g).Remove(t.Context(), "alice"))
	alice.until(client.EventLeft)
	phone.until(client.EventLeft)
	equal(t, "members", bob.names(g), "bob")
	bob.invites(g, alice)
	w.settled("the phone comes in again", func() bool { return phone.isIn(g) }, alice, phone, bob)
}

func TestRemoveDevice(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	phone := alice.links("phone")
	tablet := alice.links("tablet")
	everybody := []*person{alice, phone, tablet, bob}
	w.settled("all come in", func() bool { return phone.isIn(g) && tablet.isIn(g) && len(tablet.names(g)) == 4 }, everybody...)
	w.settled("all know all", func() bool { return len(phone.Devices()) == 2 && len(tablet.Devices()) == 2 }, everybody...)

	phone.ok(phone.RemoveDevice(t.Context(), "tablet"))
	alice.until(client.EventDeviceRemoved)
	tablet.until(client.EventLeft)
	w.settled("it is removed", func() bool { return len(bob.names(g)) == 3 && len(alice.names(g)) == 3 }, alice, phone, bob)
	equal(t, "alice's devices", alice.devices(), "phone")
	equal(t, "the phone's devices", phone.devices(), "first")
	if err := phone.RemoveDevice(t.Context(), "tablet"); err != client.ErrNoDevice {
		t.Errorf("removed twice: %v", err)
	}

	// It still says something to the others, which they do not take.
	h := tablet.create("mine", client.GroupOptions{})
	tablet.sync()
	for range 3 {
		alice.sync()
		phone.sync()
		tablet.sync()
	}
	if alice.isIn(h) || phone.isIn(h) {
		t.Error("a removed device brought the others into a group")
	}
	alice.says(g, "among us")
	phone.sync()
	tablet.sync()
	equal(t, "what the phone read", phone.texts(), "alice: among us")
	equal(t, "what the tablet read", tablet.texts())
}

func TestLeavingOnOneDevice(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	phone := alice.links("phone")
	w.settled("the phone comes in", func() bool { return phone.isIn(g) && len(bob.names(g)) == 3 }, alice, phone, bob)
	phone.ok(phone.in(g).Leave(t.Context()))
	w.settled("the phone is out", func() bool { return !phone.isIn(g) && len(alice.names(g)) == 2 }, alice, phone, bob)
	for range 2 {
		alice.sync()
		phone.sync()
	}
	if phone.isIn(g) {
		t.Error("it was added again")
	}
	alice.ok(alice.in(g).AddDevices(t.Context()))
	w.settled("the phone comes in again", func() bool { return phone.isIn(g) }, alice, phone, bob)
	phone.says(g, "here again")
	bob.sync()
	equal(t, "what bob read", bob.texts(), "alice: here again")
}

// TestDevicesOverRestarts has each client opened anew between all steps.
func TestDevicesOverRestarts(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	phone := alice.linkWith(must(alice.LinkCode("")), "phone")
	w.settled("the phone comes in", func() bool {
		alice.restart()
		phone.restart()
		return phone.isIn(g) && len(bob.names(g)) == 3
	}, alice, phone, bob)
	phone.says(g, "hello")
	bob.sync()
	equal(t, "what bob read", bob.texts(), "alice: hello")
	agree(g, alice, bob)
	equal(t, "devices", append(alice.devices(), phone.devices()...), "phone", "first")
}

// TestDevicesRace: commits of all clients while devices come in.
func TestDevicesRace(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	phone := alice.links("phone")
	w.settled("the phone comes in", func() bool { return phone.isIn(g) && len(bob.names(g)) == 3 }, alice, phone, bob)
	tablet := alice.links("tablet") // alice and the phone both add it
	everybody := []*person{alice, phone, tablet, bob}
	var wait sync.WaitGroup
	for _, p := range everybody {
		wait.Go(func() {
			for range 3 {
				p.sync()
				if p.isIn(g) {
					p.ok(p.in(g).Update(t.Context()))
				}
			}
		})
	}
	wait.Wait()
	w.settled("the tablet comes in", func() bool { return tablet.isIn(g) && len(bob.names(g)) >= 4 }, everybody...)
	for range 3 {
		for _, p := range everybody {
			p.sync()
		}
	}
	for _, p := range everybody {
		equal(t, "members as seen by "+p.name, p.names(g), "alice", "alice", "alice", "bob")
	}
	agree(g, everybody...)
}

func TestLinkCodeIsGoodOnce(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice := all[0]
	code := must(alice.LinkCode("desk"))
	phone := alice.linkWith(code, "phone")
	alice.until(client.EventDevice)
	thief := alice.linkWith(code, "stolen")
	alice.until(client.EventRefused)
	for range 3 {
		for _, p := range []*person{alice, phone, thief} {
			p.sync()
		}
	}
	equal(t, "devices", alice.devices(), "phone")
	if thief.isIn(g) || !phone.isIn(g) {
		t.Errorf("the second is in: %v, the first: %v", thief.isIn(g), phone.isIn(g))
	}
	// It has the identity, and is no device for all that.
	h := thief.create("trap", client.GroupOptions{})
	for range 3 {
		thief.sync()
		alice.sync()
	}
	if notes := alice.Account().Notes(); len(notes) > 0 || alice.isIn(h) {
		t.Errorf("who is no device is listened to: %d notes", len(notes))
	}
	if contacts := must(thief.Account().Contacts()); len(contacts) != 0 {
		t.Errorf("it was told of %d contacts", len(contacts))
	}
}

// TestKeyPackageOfAnotherUser: a device that was taken over brings in nobody else.
func TestKeyPackageOfAnotherUser(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	phone := alice.links("phone")
	w.settled("the phone comes in", func() bool { return phone.isIn(g) && len(bob.names(g)) == 3 }, alice, phone, bob)
	mallory := w.person("mallory")
	persona := must(mallory.Account().NewPersona(nil))
	p := must(mallory.Account().NewKeyPackage(t.Context(), persona))
	body := must(client.PackageNote(g.ID(), p, persona.Pseudonym.LinkKey))
	phone.ok(phone.Account().Tell(phone.Devices()[0].ID, body))
	phone.sync()
	alice.until(client.EventRefused)
	bob.sync()
	equal(t, "members", bob.names(g), "alice", "alice", "bob")
	if notes := alice.Account().Notes(); len(notes) > 0 {
		t.Errorf("%d notes wait", len(notes))
	}
}
