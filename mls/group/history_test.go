package group_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
)

// history is a group in which things happen at random.
type history struct {
	t       *testing.T
	rand    *rand.Rand
	members []*person
	joined  int // people who ever were in
}

func (h *history) any() *person { return h.members[h.rand.IntN(len(h.members))] }

func (h *history) newcomer() *person {
	h.joined++
	return newPerson(h.t, suite, fmt.Sprintf("person %d", h.joined), func(c *group.Config) {
		if h.rand.IntN(2) == 0 {
			c.Handshakes = mls.WireFormatPrivateMessage
		}
		c.PastEpochs = h.rand.IntN(3)
	})
}

// TestRandomHistory: through additions, removals, updates, external joins and
// lost races, all members stay in one state, their tree hash is that of the tree
// computed afresh, and every one can be saved and restored at any time.
func TestRandomHistory(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			h := &history{t: t, rand: rand.New(rand.NewPCG(seed, 1))}
			first := h.newcomer()
			first.create(nil)
			h.members = []*person{first}
			for range 60 {
				h.step()
			}
			if h.joined < 20 {
				t.Errorf("only %d people took part", h.joined)
			}
		})
	}
}

func (h *history) step() {
	if h.rand.IntN(6) == 0 {
		h.externalJoin()
	} else {
		h.propose()
		h.commit()
	}
	if h.rand.IntN(3) == 0 {
		h.any().restores()
	}
	agree(h.t, h.members...)
	ctx, from := h.members[0].Context(), h.any()
	nodes, err := from.Tree()
	if err != nil {
		h.t.Fatal(err)
	}
	if hash, err := group.TreeHash(mustSuite(h.t, suite), nodes); err != nil || !bytes.Equal(hash, ctx.TreeHash) {
		h.t.Fatalf("tree hash differs from the tree's, %v", err)
	}
	m := from.sends("still here")
	if to := h.any(); to != from {
		to.hears(m, "still here")
	}
}

// others process m, which from sent.
func (h *history) show(from *person, m *mls.Message) {
	for _, p := range without(h.members, from) {
		p.takes(m)
	}
}

func (h *history) propose() {
	for range h.rand.IntN(3) {
		from := h.any()
		switch h.rand.IntN(3) {
		case 0:
			m, err := from.ProposeUpdate(nil, group.MessageOptions{})
			if err != nil {
				h.t.Fatal(err)
			}
			h.show(from, m)
		case 1:
			if p := h.any(); p != from {
				h.show(from, from.proposes(group.Remove(p.leaf())))
			}
		case 2:
			if len(h.members) > 2 {
				h.show(from, from.proposes(group.SelfRemove()))
			}
		}
	}
}

func (h *history) commit() {
	from := h.any()
	if h.rand.IntN(4) == 0 {
		h.any().drafts(group.CommitOptions{}) // and loses the race, if it is another's
		from.Discard()
	}
	o := group.CommitOptions{ForcePath: h.rand.IntN(2) == 0, Skip: func(*epoch.Proposal) bool { return h.rand.IntN(5) == 0 }}
	newcomers := map[mls.LeafIndex]*person{}
	var added []*person
	for range h.rand.IntN(4) {
		if len(h.members)+len(added) < 20 {
			p := h.newcomer()
			added = append(added, p)
			o.Proposals = append(o.Proposals, group.Add(p.keyPackage()))
		}
	}
	made := from.drafts(o)
	for i, p := range added {
		newcomers[made.What.Added[i].Leaf] = p
	}
	var left []*person
	for _, p := range h.members {
		if p == from {
			left = append(left, p)
		} else if p.takes(made.Message).Committed.Ended == group.EndNone {
			left = append(left, p)
		}
	}
	if _, err := from.Merge(); err != nil {
		h.t.Fatal(err)
	}
	for _, p := range added {
		p.joinFrom(from, made)
	}
	for leaf, p := range newcomers {
		if p.leaf() != leaf {
			h.t.Fatalf("joined at leaf %d, not %d", p.leaf(), leaf)
		}
	}
	h.members = append(left, added...)
}

func (h *history) externalJoin() {
	p := h.newcomer()
	g, made, err := group.JoinExternal(p.cfg, p.client, h.any().groupInfo(open), group.ExternalOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.show(nil, made.Message)
	p.Group = g
	h.members = append(h.members, p)
}
