package group_test

import (
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
)

var sizes = []int{10, 100, 500, 1000, 10000}

// kinds runs a benchmark on full and bare trees of all sizes.
func kinds(b *testing.B, f func(*testing.B, *grown)) {
	for _, full := range []bool{true, false} {
		for _, n := range sizes {
			name := "bare"
			if full {
				name = "full"
			}
			b.Run(fmt.Sprintf("tree=%s/members=%d", name, n), func(b *testing.B) {
				g := grow(b, treeKind{full, n})
				b.ReportAllocs()
				f(b, g)
			})
		}
	}
}

// BenchmarkCommit makes a commit that renews the member's own keys, the
// GroupInfo included, in a tree in which every member has committed.
func BenchmarkCommit(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) { benchmarkCommit(b, grow(b, treeKind{true, n})) })
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("tree=bare/members=%d", n), func(b *testing.B) { benchmarkCommit(b, grow(b, treeKind{false, n})) })
	}
}

func benchmarkCommit(b *testing.B, g *grown) {
	m := g.member(b, 0)
	b.ReportAllocs()
	var size int
	for b.Loop() {
		made, err := m.Commit(group.CommitOptions{GroupInfo: group.GroupInfoOptions{ExternalPub: true}})
		if err != nil {
			b.Fatal(err)
		}
		m.Discard()
		if size == 0 {
			b.StopTimer()
			encoded, err := mls.Marshal(made.Message)
			if err != nil {
				b.Fatal(err)
			}
			size = len(encoded)
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(size), "commit-B")
}

// BenchmarkProcess takes another member's commit, which renews its keys.
func BenchmarkProcess(b *testing.B) {
	kinds(b, func(b *testing.B, g *grown) {
		from, to := g.member(b, 0), g.member(b, mls.LeafIndex(g.members-1))
		for b.Loop() {
			b.StopTimer()
			made, err := from.Commit(group.CommitOptions{})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := from.Merge(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if _, err := to.Process(made.Message); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCreate makes a group and adds all its members in one commit, with
// their Welcome.
func BenchmarkCreate(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			p := newPerson(b, suite, "creator")
			adds := make([]*mls.Proposal, n-1)
			for i := range adds {
				adds[i] = group.Add(newPerson(b, suite, fmt.Sprint(i)).keyPackage())
			}
			b.ReportAllocs()
			for b.Loop() {
				p.create(nil)
				p.drafts(values(adds...))
				if _, err := p.Merge(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJoin joins by Welcome, with the tree beside it.
func BenchmarkJoin(b *testing.B) {
	kinds(b, func(b *testing.B, g *grown) {
		newcomer, from := newPerson(b, suite, "newcomer"), g.member(b, 0)
		k, err := group.NewKeyPackage(newcomer.cfg, newcomer.client, group.KeyPackageOptions{LastResort: true})
		if err != nil {
			b.Fatal(err)
		}
		made, err := from.Commit(values(group.Add(k)))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := from.Merge(); err != nil {
			b.Fatal(err)
		}
		nodes, err := from.Tree()
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := group.JoinWelcome(newcomer.cfg, made.Welcome.Welcome, group.JoinOptions{Tree: nodes}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkExternalJoin joins by external commit, with the tree beside the
// GroupInfo.
func BenchmarkExternalJoin(b *testing.B) {
	kinds(b, func(b *testing.B, g *grown) {
		newcomer, from := newPerson(b, suite, "newcomer"), g.member(b, 0)
		info, err := from.GroupInfo(group.GroupInfoOptions{ExternalPub: true})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, _, err := group.JoinExternal(newcomer.cfg, newcomer.client, info, group.ExternalOptions{Tree: g.nodes}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkApplicationMessage sends 100 octets and receives them.
func BenchmarkApplicationMessage(b *testing.B) {
	all := people(b, suite, 2)
	text := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		m, err := all[0].Send(text, group.MessageOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := all[1].Process(m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkState saves and restores a member of a large group.
func BenchmarkState(b *testing.B) {
	kinds(b, func(b *testing.B, g *grown) {
		m := g.member(b, 0)
		for b.Loop() {
			state, err := m.Marshal()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := group.Restore(group.Config{}, state.Reveal()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
