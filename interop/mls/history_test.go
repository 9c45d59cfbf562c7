package interop

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

// TestHistories plays random histories, in which trees get blanks and unmerged
// leaves in places that no scenario thinks of.
func TestHistories(t *testing.T) {
	const steps, most = 40, 12
	for i, how := range []framing{{true, true}, {true, false}, {false, true}, {false, false}} {
		t.Run(fmt.Sprintf("seed %d,%v", i, how), func(t *testing.T) {
			h := history{start(t, mls.X25519AES128GCM, how, []kind{ours, ts}[i%2]), rand.New(rand.NewPCG(uint64(i), 0))}
			six(h.conversation)
			for range steps {
				h.step(most)
			}
			h.talk()
		})
	}
}

type history struct {
	*conversation
	rand *rand.Rand
}

func (h *history) anybody() member { return h.members[h.rand.IntN(len(h.members))] }

// newcomer is of either kind, if ts-mls can join.
func (h *history) newcomer(tsCan bool) member {
	h.t.Helper()
	if tsCan && h.rand.IntN(3) > 0 {
		return h.client(ts)
	}
	return h.client(ours)
}

// step makes one epoch.
func (h *history) step(most int) {
	h.t.Helper()
	by := h.anybody()
	nodes := h.nodes()
	room := len(h.members) < most
	switch n := h.rand.IntN(10); {
	case n < 2:
		h.commit(by, nil)
	case n < 3 && room:
		h.commitAdding(by, h.newcomer(unmerged(nodes) == 0))
	case n < 4 && room:
		h.commitAdding(by, h.newcomer(false), h.newcomer(false))
	case n < 6:
		h.commit(by, nil, h.removals(by)...)
	case n < 7 && room:
		h.join(h.newcomer(tsCanJoin(nodes)), by, false)
	case n < 8 && (by.kind() == ours || tsCanJoin(nodes)):
		h.join(by, h.anybody(), true)
	default:
		h.byReference(by)
	}
	if h.rand.IntN(4) == 0 {
		h.talk()
	}
}

// removals removes up to two others, as long as three of their kind stay.
func (h *history) removals(by member) (out []proposal) {
	h.t.Helper()
	left := map[kind]int{}
	for _, m := range h.members {
		left[m.kind()]++
	}
	for _, i := range h.rand.Perm(len(h.members))[:2] {
		if m := h.members[i]; m != by && left[m.kind()] > 3 {
			left[m.kind()]--
			out = append(out, remove(h.conversation, m))
		}
	}
	return out
}

// byReference has up to three others propose something, and by commit it.
func (h *history) byReference(by member) {
	h.t.Helper()
	var newcomers []member
	if h.rand.IntN(3) == 0 {
		for _, p := range h.removals(by) {
			h.propose(h.anybody(), p)
		}
		h.commit(by, nil)
		return
	}
	for _, i := range h.rand.Perm(len(h.members))[:3] {
		if m := h.members[i]; h.rand.IntN(3) == 0 {
			newcomers = append(newcomers, h.newcomer(false))
			h.propose(m, add(h.conversation, newcomers[len(newcomers)-1]))
		} else if m != by {
			h.propose(m, proposal{Type: "update"})
		}
	}
	h.commit(by, newcomers)
}
