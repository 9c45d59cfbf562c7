package client_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/client"
)

// together runs f for all at once.
func together(all []*person, f func(*person) error) {
	all[0].w.Helper()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() { errs[i] = f(p) })
	}
	wg.Wait()
	for i, err := range errs {
		all[i].ok(err)
	}
}

// settle has all take what has arrived until nobody hears anything new.
func settle(all []*person) {
	for quiet := 0; quiet < 2; {
		quiet++
		for _, p := range all {
			if len(p.sync()) > 0 {
				quiet = 0
			}
		}
	}
}

// TestINV05RacingCommits: of many commits for one epoch one wins, all others are
// made anew, and all members end in one state.
func TestINV05RacingCommits(t *testing.T) {
	n := 64
	if testing.Short() {
		n = 8
	}
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, numbered("user", n)...)
	before := g.Epoch()
	together(all, func(p *person) error { return p.in(g).Update(t.Context()) })
	settle(all)
	agree(g, all...)
	if got := g.Epoch() - before; got != uint64(n) {
		t.Errorf("%d commits made %d epochs", n, got)
	}
}

// TestHistories: whatever people do at the same time in several groups, all
// members of a group end in the same state, and read every message once, in the
// same order.
func TestHistories(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	w := newWorld(t)
	people := numbered("user", 5)
	first, all := w.circle(client.GroupOptions{}, people...)
	second := all[0].create("second", client.GroupOptions{})
	all[0].invites(second, all[1:]...)
	settle(all)
	groups := []*client.Group{first, second}
	sent := map[string]int{}
	var mu sync.Mutex
	for round := range rounds {
		together(all, func(p *person) error {
			for i := range 3 {
				g := p.in(groups[rand.IntN(len(groups))])
				var err error
				switch rand.IntN(6) {
				case 0:
					err = g.Update(t.Context())
				case 1:
					p.restart()
				default:
					text := fmt.Sprintf("%s %d %d", p.name, round, i)
					if err = g.Send(t.Context(), []byte(text)); err == nil {
						mu.Lock()
						sent[text]++
						mu.Unlock()
					}
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	settle(all)
	for _, g := range groups {
		agree(g, all...)
	}
	// Everybody reads what others said; who said it does not.
	order := map[*person][]string{}
	for _, p := range all {
		read := map[string]int{}
		for _, e := range p.heard {
			if e.Kind != client.EventMessage {
				continue
			}
			read[string(e.Text)]++
			order[p] = append(order[p], fmt.Sprintf("%x %s", e.Group[:2], e.Text))
		}
		for text := range sent {
			own := len(text) > len(p.name) && text[:len(p.name)+1] == p.name+" "
			if got := read[text]; got != 1 && !own || own && got != 0 {
				t.Errorf("%s read %q %d times", p.name, text, got)
			}
		}
	}
	for _, g := range groups {
		id := g.ID()
		prefix := fmt.Sprintf("%x ", id[:2])
		common := func(p, q *person) []string {
			var out []string
			for _, line := range order[p] {
				if len(line) > len(prefix) && line[:len(prefix)] == prefix && slices.Contains(order[q], line) {
					out = append(out, line)
				}
			}
			return out
		}
		for _, p := range all[1:] {
			if a, b := common(all[0], p), common(p, all[0]); !slices.Equal(a, b) {
				t.Errorf("%s and %s read in different orders:\n%q\n%q", all[0].name, p.name, a, b)
			}
		}
	}
}
