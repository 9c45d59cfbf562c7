package ds_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// groupRecords are the records of one group in memory.
type groupRecords struct {
	version uint64
	records map[string][]byte
}

var _ ds.GroupRecords = groupRecords{}

func (g groupRecords) Version() uint64                { return g.version }
func (g groupRecords) Get(key []byte) ([]byte, error) { return g.records[string(key)], nil }

func (g groupRecords) Each(f func(key, value []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(g.records)) {
		if err := f([]byte(k), g.records[k]); err != nil {
			return err
		}
	}
	return nil
}

// check compares what is found in records with what is wanted.
func (r *rig) check(id wire.GroupID, records map[string][]byte, want ...string) {
	r.Helper()
	version := must(r.store.Read(context.Background(), id, nil)).Version
	var got []string
	err := ds.CheckGroup(groupRecords{version, records}, func(kind, problem string) { got = append(got, kind+": "+problem) })
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		r.Errorf("found %q, %v; want %q", got, err, want)
	}
}

// busy returns the records of a group that has some of every kind.
func (r *rig) busy() (wire.GroupID, map[string][]byte) {
	a := r.person("user 0", "one.example")
	a.trust(r.cfg.Signers[0]) // so that it keeps an account of who is idle
	create := a.createBody()
	create.Roster = part(0, 0)
	r.ok(r.call(a.request(wire.OpCreateGroup, create, wire.Auth{Type: wire.AuthJoiner}, stateKey(a.Group)), nil))
	others := []*client{r.person("user 1", "one.example"), r.person("user 2", "two.example"), r.person("user 3", "one.example")}
	r.ok(a.add(wire.OpAddUsers, others...))
	r.settle(a, append([]*client{a}, others...)...)
	r.ok(a.remove(wire.OpRemoveUsers, others[0]))
	r.ok(a.add(wire.OpAddUsers, r.person("late 1", "one.example"), r.person("late 2", "one.example")))
	r.ok(a.commitWith(part(0, 1), wire.OpUpdate, nil))
	r.ok(a.propose(wire.OpSelfRemove, must(a.Propose(group.SelfRemove(), group.MessageOptions{}))))
	r.ok(r.call(others[1].accessRequest(a.id(), must(others[1].OwnLeaf()), must(seal.GenerateKey(wire.X25519))), new(wire.Empty)))
	return a.id(), r.store.Records(a.id())
}

// TestCheckFindsDamage: every kind of record that a group can have is in the
// group that is damaged, and each is found if it is cut short, misnamed or missing.
func TestCheckFindsDamage(t *testing.T) {
	r := newSigningRig(t)
	id, records := r.busy()
	r.check(id, records)
	present := map[byte]bool{}
	for k := range records {
		present[k[0]] = true
	}
	for _, kind := range ds.AllKinds {
		if !present[kind] {
			t.Fatalf("no record of kind %q", kind)
		}
		if ds.KindName(kind) == "" {
			t.Errorf("records of kind %q are not checked", kind)
		}
	}
	// damaged checks records with the n-th one of a kind replaced.
	damaged := func(kind byte, n int, change func(k string, v []byte) (string, []byte), want ...string) {
		t.Helper()
		other := maps.Clone(records)
		var keys []string
		for _, k := range slices.Sorted(maps.Keys(records)) {
			if k[0] == kind {
				keys = append(keys, k)
			}
		}
		k := keys[n]
		delete(other, k)
		if newKey, v := change(k, append([]byte{}, records[k]...)); v != nil {
			other[newKey] = v
		}
		r.check(id, other, want...)
	}
	cut := func(k string, v []byte) (string, []byte) { return k, v[:len(v)-1] }
	gone := func(k string, _ []byte) (string, []byte) { return k, nil }
	flip := func(at int) func(k string, v []byte) (string, []byte) {
		return func(k string, v []byte) (string, []byte) { v[at] ^= 1 << 6; return k, v }
	}
	at := func(n int, b byte) func(k string, v []byte) (string, []byte) { // in the key
		return func(k string, v []byte) (string, []byte) { return k[:n] + string(b) + k[n+1:], v }
	}
	for _, kind := range ds.AllKinds {
		name := ds.KindName(kind)
		if kind == 'h' {
			continue
		}
		damaged(kind, 0, func(k string, v []byte) (string, []byte) { return k + "x", v }, append([]string{name + ": key"}, map[byte][]string{
			'H': {"header: missing"}, 'l': {"link: not one for each generation"}, 'j': {"list of joiners: lists a joiner that is missing"},
			'J': {"joiner: in no list"}, 'R': {"roster part: not the next of its generation"}, 'a': {"access request: not those that the head names"},
			'r': {"answer: fewer than expire"}, 'x': nil}[kind]...)...)
	}
	for _, kind := range []byte("HnpemuRcy") {
		damaged(kind, 0, cut, ds.KindName(kind)+": no sealed record")
		damaged(kind, 0, flip(0), ds.KindName(kind)+": ahead of the group")
	}
	damaged('h', 0, cut, "head: does not decode")
	damaged('h', 0, gone, "head: missing")
	damaged('h', 0, flip(0), "head: ahead of the group")
	damaged('l', 0, cut, "link: no sealed record")
	damaged('l', 0, gone, "link: not one for each generation")
	damaged('n', 0, at(5, 0), "node: ahead of the group")
	damaged('e', 0, at(1, 1), "retained epoch: ahead of the group")
	damaged('c', 0, at(1, 1), "outcome: ahead of the group")
	damaged('s', 0, cut, "stale versions: does not decode")
	damaged('s', 0, flip(4), "stale versions: lists a later version")
	damaged('s', 0, at(1, 1), "stale versions: ahead of the group")
	damaged('k', 0, func(k string, _ []byte) (string, []byte) { return k, []byte("x") }, "public key: does not decode")
	damaged('j', 0, cut, "joiner: does not decode")
	damaged('j', 0, flip(11), "joiner: no sealed record")
	damaged('j', 0, gone, "list of joiners: lists a joiner that is missing")
	damaged('J', 0, cut, "list of joiners: does not decode", "joiner: in no list")
	damaged('J', 0, gone, "joiner: in no list")
	damaged('R', 0, gone, "roster part: not the next of its generation")
	damaged('a', 0, at(1, 99), "access request: no sealed record", "access request: not those that the head names")
	damaged('a', 0, gone, "access request: not those that the head names")
	damaged('r', 0, gone, "answer: fewer than expire")
	damaged('r', 0, func(k string, v []byte) (string, []byte) { return k, v[:15] }, "answer: no sealed record")
	damaged('x', 0, cut, "expiry: no sealed record")
	damaged('x', 0, at(1, 1), "expiry: ahead of the group")
	damaged('x', 0, at(0, '?'), "unknown: no kind of a group")
}

// TestCheckKnowsDeletedGroups: nothing else is left of one.
func TestCheckKnowsDeletedGroups(t *testing.T) {
	r := newRig(t, nil)
	a := r.found("a")
	before := r.store.Records(a.id())
	r.ok(r.call(a.request(wire.OpDeleteGroup, &wire.GroupQuery{Group: a.id()}, a.leafAuth(), stateKey(a.Group)), new(wire.Accepted)))
	records := r.store.Records(a.id())
	r.check(a.id(), records)
	for k, v := range before {
		if strings.HasPrefix(k, "m") {
			records[k] = v
		}
	}
	r.check(a.id(), records, "page of members: of a deleted group")
}
