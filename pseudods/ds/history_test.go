package ds_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
)

// circle is one group and what its members must have seen.
type circle struct {
	members []*client
	want    map[*client][]string
}

// TestRandomHistories plays several groups at one service at random, with
// commits that race, members who leave, and restarts, and compares what all
// members saw with what was accepted.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { playHistory(t, newRig(t, nil), seed, 40) })
	}
}

// TestRandomHistoriesOfUnmodifiedClients is the same with clients that know
// nothing but RFC 9420.
func TestRandomHistoriesOfUnmodifiedClients(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := newRig(t, nil)
			r.plain = true
			playHistory(t, r, seed, 40)
		})
	}
}

// TestRandomHistoryOnDisk is the same on the embedded database.
func TestRandomHistoryOnDisk(t *testing.T) {
	db := must(badger.Open(badger.Config{Dir: filepath.Join(t.TempDir(), "db"), Format: groups.Format, MinFree: 1}))
	defer db.Close()
	playHistory(t, newRig(t, func(c *ds.Config) { c.Store = groups.New(db) }), 99, 25)
	summary, err := groups.Check(t.Context(), db, func(f badger.Finding) { t.Errorf("found %+v", f) })
	if err != nil || summary.Tallies[1].Records < 100 {
		t.Errorf("checked %+v, %v", summary, err)
	}
}

func playHistory(t *testing.T, r *rig, seed uint64, steps int) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var circles []*circle
	for g := range 3 {
		a := r.found(fmt.Sprint("g", g))
		circles = append(circles, &circle{[]*client{a}, map[*client][]string{}})
	}
	for step := range steps {
		c := circles[rng.IntN(len(circles))]
		r.settle(c.members[0], c.members...)
		actor := c.members[rng.IntN(len(c.members))]
		switch action := rng.IntN(10); {
		case action < 2:
			j := r.person(fmt.Sprint("s", step), []string{"one.example", "two.example"}[rng.IntN(2)])
			r.ok(actor.add(wire.OpAddUsers, j))
			r.settle(actor, append(c.members, j)...)
			c.members = append(c.members, j)
		case action == 2 && len(c.members) > 1:
			other := c.members[rng.IntN(len(c.members))]
			if other == actor {
				break
			}
			r.ok(actor.remove(wire.OpRemoveUsers, other))
			r.settle(actor, c.members...)
			if !other.gone {
				t.Fatal("a removed member was not told")
			}
			c.members = slices.DeleteFunc(c.members, func(m *client) bool { return m == other })
		case action == 3 && len(c.members) > 1:
			r.ok(actor.leave())
			r.settle(actor, c.members...)
			c.members = slices.DeleteFunc(c.members, func(m *client) bool { return m == actor })
			r.ok(c.members[0].commit(wire.OpUpdate, nil))
			r.settle(c.members[0], append(c.members, actor)...)
			if !actor.gone {
				t.Fatal("a member who left was not told")
			}
		case action < 6 && len(c.members) > 1:
			// Two commit at once: the second is told the epoch.
			r.ok(actor.commit(wire.OpUpdate, nil))
			for _, other := range c.members {
				if other != actor {
					var refused *wire.Error
					if err := other.commit(wire.OpUpdate, nil); !errors.As(err, &refused) || refused.Code != wire.CodeWrongEpoch || refused.Epoch != actor.Epoch() {
						t.Fatalf("second commit of an epoch: %v", err)
					}
					break
				}
			}
		case action == 6:
			r.restart()
		default:
			text := fmt.Sprint("message ", step)
			r.ok(actor.send(text))
			for _, m := range c.members {
				if m != actor {
					c.want[m] = append(c.want[m], text)
				}
			}
		}
	}
	for _, c := range circles {
		r.settle(c.members[0], c.members...)
		for _, m := range c.members {
			if !slices.Equal(m.seen, c.want[m]) {
				t.Errorf("a member saw %q, want %q", m.seen, c.want[m])
			}
			if m.Epoch() != c.members[0].Epoch() {
				t.Error("members are in different epochs")
			}
		}
	}
}

// leave proposes the client's own removal.
func (c *client) leave() error {
	if c.plain {
		return c.propose(wire.OpPropose, must(c.Propose(group.Remove(must(c.OwnLeaf())), group.MessageOptions{})))
	}
	return c.propose(wire.OpSelfRemove, must(c.Propose(group.SelfRemove(), group.MessageOptions{})))
}
