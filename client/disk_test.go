package client_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/client"
)

// jam has the file of a group's record take no new content until it is released.
func (p *person) jam(g *client.Group) (release func()) {
	p.w.Helper()
	files := func() map[string]os.FileInfo {
		out := map[string]os.FileInfo{}
		for _, path := range must(filepath.Glob(filepath.Join(p.dir, "r-*"))) {
			out[path] = must(os.Stat(path))
		}
		return out
	}
	before := files()
	p.ok(g.SetLabel(g.Label()))
	for path, info := range files() {
		if os.SameFile(before[path], info) {
			continue
		}
		p.ok(os.Rename(path, path+"-aside"))
		p.ok(os.Mkdir(path, 0o700)) // which no file replaces
		return func() {
			p.ok(os.Remove(path))
			p.ok(os.Rename(path+"-aside", path))
		}
	}
	p.w.Fatal("no record of the group")
	return nil
}

// TestRemovedWithAFullDisk: a client that cannot save that it was removed, and is
// killed, hears of it again.
func TestRemovedWithAFullDisk(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	release := bob.jam(bob.in(g))
	alice.ok(g.Remove(t.Context(), "bob"))
	alice.sync()
	for range 3 {
		if _, err := bob.Sync(t.Context(), 0); err != nil {
			break
		}
	}
	release()
	bob.restart()
	bob.sync()
	if s := bob.in(g).State(); s != client.StateLeft {
		t.Errorf("state %d", s)
	}
}

// TestHelloWithAFullDisk: what a client owes to a group that it came back into it
// owes as long as it is not saved in the outbox.
func TestHelloWithAFullDisk(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	bob := all[1]
	bob.ok(bob.in(g).Rejoin(t.Context()))
	if !bob.in(g).OwesHello() {
		t.Fatal("nothing is owed after a rejoin")
	}
	release := bob.jam(bob.in(g))
	if _, err := bob.Sync(t.Context(), 0); err == nil {
		t.Error("nothing was to be saved")
	}
	release()
	if g := bob.in(g); !g.OwesHello() && g.Outbox() == 0 {
		t.Error("the hello is forgotten")
	}
	bob.sync()
	if bob.in(g).OwesHello() {
		t.Error("the hello is still owed")
	}
}
