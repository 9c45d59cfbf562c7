package ds_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// part is a part of a roster that says where it belongs.
func part(generation, i int) *wire.RosterPart {
	return &wire.RosterPart{Generation: uint64(generation), Part: fmt.Append(nil, "part ", i, " of ", generation)}
}

// wantRoster compares a roster with the first n parts of a generation.
func (r *rig) wantRoster(got *wire.Roster, generation, n int) {
	r.Helper()
	if got == nil || got.Generation != uint64(generation) || len(got.Parts) != n {
		r.Fatalf("got %+v, want %d parts of %d", got, n, generation)
	}
	for i, p := range got.Parts {
		if !bytes.Equal(p, part(generation, i).Part) {
			r.Fatalf("part %d is %q", i, p)
		}
	}
}

// presentRoster asks for what somebody who joins from outside gets.
func (c *client) presentRoster() *wire.Roster {
	c.Helper()
	var info wire.ExternalCommitInfo
	c.ok(c.call(c.request(wire.OpExternalCommitInfo, &wire.GroupQuery{Group: c.id()}, wire.Auth{}, stateKey(c.Group)), &info))
	return info.Roster
}

// foundWithRoster creates a group of one member with a roster.
func (r *rig) foundWithRoster() *client {
	r.Helper()
	c := r.person("user 0", "one.example")
	create := c.createBody()
	create.Roster = part(0, 0)
	r.ok(r.call(c.request(wire.OpCreateGroup, create, wire.Auth{Type: wire.AuthJoiner}, stateKey(c.Group)), nil))
	return c
}

func (r *rig) kindsOf(c *client) map[byte]int {
	kinds := map[byte]int{}
	for k := range r.store.Records(c.id()) {
		kinds[k[0]]++
	}
	return kinds
}

// TestRosterFollowsTheGroup: newcomers get the roster of the epoch they join,
// whatever became of it since, and all others what each commit does to it.
func TestRosterFollowsTheGroup(t *testing.T) {
	r := newRig(t, nil)
	a := r.foundWithRoster()
	r.wantRoster(a.presentRoster(), 0, 1)
	b, c, d := r.person("b", "one.example"), r.person("c", "one.example"), r.person("d", "one.example")
	r.ok(a.commitWith(part(0, 1), wire.OpAddUsers, []*mls.Proposal{group.Add(b.kp)}, b))
	r.settle(a, a, b)
	r.wantRoster(b.entered, 0, 2)

	r.ok(a.commitWith(part(0, 2), wire.OpAddUsers, []*mls.Proposal{group.Add(c.kp)}, c))
	key := stateKey(a.Group)
	r.ok(a.commitWith(part(0, 3), wire.OpUpdate, nil))
	r.ok(a.commitWith(part(1, 0), wire.OpRemoveUsers, []*mls.Proposal{group.Remove(must(b.OwnLeaf()))}))
	r.ok(a.commitWith(part(1, 1), wire.OpAddUsers, []*mls.Proposal{group.Add(d.kp)}, d))
	r.wantRoster(a.presentRoster(), 1, 2)
	r.deliver()
	d.receive(func() secret.Bytes { return stateKey(a.Group) })
	r.wantRoster(d.entered, 1, 2)
	c.receive(func() secret.Bytes { return key })
	r.wantRoster(c.entered, 0, 3)
	if want := []wire.RosterPart{*part(0, 3), *part(1, 0), *part(1, 1)}; !slices.EqualFunc(c.roster, want, func(x, y wire.RosterPart) bool {
		return x.Generation == y.Generation && bytes.Equal(x.Part, y.Part)
	}) {
		t.Fatalf("the commits brought %+v", c.roster)
	}
}

// TestINV11RosterTakesTheNextPartOnly: a part that neither goes on nor begins
// the next generation is refused with its commit, and so is one too many.
func TestINV11RosterTakesTheNextPartOnly(t *testing.T) {
	r := newRig(t, nil)
	a := r.foundWithRoster()
	r.ok(a.commitWith(part(1, 0), wire.OpUpdate, nil))
	for _, generation := range []int{0, 3, -1} {
		r.refused(a.commitWith(part(generation, 0), wire.OpUpdate, nil), wire.CodeMalformed)
	}
	r.wantRoster(a.presentRoster(), 1, 1)
	for i := 1; i < 256; i++ {
		r.ok(a.commitWith(part(1, i), wire.OpUpdate, nil))
	}
	r.refused(a.commitWith(part(1, 256), wire.OpUpdate, nil), wire.CodeFull)
	r.wantRoster(a.presentRoster(), 1, 256)
	r.ok(a.commitWith(part(2, 0), wire.OpUpdate, nil))
	r.wantRoster(a.presentRoster(), 2, 1)
	if n := r.kindsOf(a)['R']; n != 1 {
		t.Errorf("%d records of rosters", n)
	}
	large := &wire.RosterPart{Generation: 2, Part: make([]byte, wire.MaxRosterPart)}
	for range 3 {
		r.ok(a.commitWith(large, wire.OpUpdate, nil))
		r.forget()
	}
	r.refused(a.commitWith(large, wire.OpUpdate, nil), wire.CodeFull)

	none := r.found("user 1")
	if got := none.presentRoster(); got != nil {
		t.Fatalf("a group without a roster has %+v", got)
	}
	r.refused(none.commitWith(part(1, 0), wire.OpUpdate, nil), wire.CodeMalformed)
	r.ok(none.commitWith(part(0, 0), wire.OpUpdate, nil))
	r.wantRoster(none.presentRoster(), 0, 1)
	late := r.person("user 2", "one.example")
	create := late.createBody()
	create.Roster = part(1, 0)
	r.refused(r.call(late.request(wire.OpCreateGroup, create, wire.Auth{Type: wire.AuthJoiner}, stateKey(late.Group)), nil), wire.CodeMalformed)
}

// TestRosterIsReleased: a generation that was replaced stays as long as somebody
// who was added under it may ask for it, and one part costs one record.
func TestRosterIsReleased(t *testing.T) {
	r := newRig(t, nil)
	a := r.foundWithRoster()
	b := r.person("b", "one.example")
	r.ok(a.commitWith(part(0, 1), wire.OpAddUsers, []*mls.Proposal{group.Add(b.kp)}, b))
	r.ok(a.commitWith(part(1, 0), wire.OpUpdate, nil))
	r.ok(a.commitWith(part(2, 0), wire.OpUpdate, nil))
	if n := r.kindsOf(a)['R']; n != 3 { // generation 1 is nobody's
		t.Fatalf("%d records of rosters", n)
	}
	r.store.Traffic()
	r.ok(a.commit(wire.OpUpdate, nil))
	_, without := r.store.Traffic()
	r.ok(a.commitWith(part(2, 1), wire.OpUpdate, nil))
	if _, with := r.store.Traffic(); with.Records != without.Records+1 {
		t.Errorf("a part made %d records of %d", with.Records, without.Records)
	}
	for i := range 32 { // as many epochs as are kept for newcomers
		if n := r.kindsOf(a)['R']; n != 4 {
			t.Fatalf("%d records of rosters after %d additions", n, i)
		}
		r.ok(a.add(wire.OpAddUsers, r.person(fmt.Sprint("user ", 10+i), "one.example")))
		r.forget()
	}
	if n := r.kindsOf(a)['R']; n != 2 {
		t.Errorf("%d records of rosters are left", n)
	}
}
