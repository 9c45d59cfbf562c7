package snapshot

import "iter"

// controls are the targets on which a feature's control is played.
var controls = map[Feature][]Target{
	Value:     {Targets[0], Targets[1], Targets[2]},
	Size:      {Targets[0], Targets[2]},
	Adjacency: {Targets[0], Targets[2]},
	Batch:     {Targets[2]}, // which are in the journals whatever happened
	Order:     {Targets[2]},
	Version:   {Targets[0], Targets[1], Targets[2]},
	Time:      {Targets[0], Targets[1], Targets[2]},
}

// audit asks all questions about copies of one world.
func audit(things []*thing, copies []*Copy) iter.Seq2[question, []answer] {
	return func(yield func(question, []answer) bool) {
		for _, c := range copies {
			e := examine(c, things)
			for _, f := range Features {
				like := e.similarity(f)
				for _, t := range Targets {
					if t.across() && f == Order { // batches are a store's own
						continue
					}
					if !yield(question{t, f, t.stores(), c.State, false}, ask(t, e.subjects, like)) {
						return
					}
				}
				if f != Batch && f != Version {
					continue
				}
				for _, j := range []struct {
					target  Target
					witness Kind
				}{{Targets[0], Queue}, {Targets[2], Group}, {Targets[3], Queue}} {
					if !yield(question{j.target, f, Both, c.State, false}, ask(j.target, e.subjects, e.joined(f, j.witness))) {
						return
					}
				}
			}
		}
		for _, f := range Features {
			e := examine(plant(copies[0], things, f), things)
			like := e.similarity(f)
			for _, t := range controls[f] {
				if !yield(question{t, f, t.stores(), copies[0].State, true}, ask(t, e.subjects, like)) {
					return
				}
			}
		}
	}
}

// across reports whether the target's things lie in two stores.
func (t Target) across() bool { return t.stores() == Both || t.stores() == All }

// stores are those that the target's things lie in.
func (t Target) stores() Set {
	role := map[Kind]Set{Member: DSAlone, Group: DSAlone, Queue: QSAlone, Pool: QSAlone, Account: All}
	a, b := role[t.A], role[t.B]
	switch {
	case a == b:
		return a
	case a == All:
		return All
	}
	return Both
}
