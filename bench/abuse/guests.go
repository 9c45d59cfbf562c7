package abuse

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/pseudods/pseudods/client"
)

// invented is how many users a malicious provider invents for each account that
// another attacker would have.
const invented = 6

var guestFlooding = Scenario{
	Name: "guest-flooding", Models: []string{"S13", "S14"},
	Attacker: "a guest provider invents six users for each account of the budget; all are members of one group and send five messages a second; no attester of the group's provider knows them, so that they have no tokens for it, and each is an account of its own to who asks for accounts",
	Load:     "two members of the group write to each other every ten seconds",
	Effect:   "a message of the attacker that an honest member has read",
	Sessions: 2, Window: 3 * time.Minute, Quick: 20 * time.Second,
	Play: playGuests,
}

func playGuests(ctx context.Context, w *World) error {
	alice, bob, err := w.pair(ctx)
	if err != nil {
		return err
	}
	var guests []*Insider
	for range invented {
		more, err := w.insiders(ctx)
		if err != nil {
			return err
		}
		guests = append(guests, more...)
	}
	g, err := alice.Found(ctx, client.GroupOptions{}, []*Person{bob}, guests...)
	if err != nil {
		return err
	}
	c, err := w.converse(g.ID(), alice, bob, 10*time.Second)
	if err != nil {
		return err
	}
	c.other = func(string) { w.Effect(1) }
	for _, i := range guests {
		if err := i.Hear(ctx); err != nil {
			return err
		}
		i.disown()
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error { return i.flood(ctx, 200*time.Millisecond) })
		})
	}
	return w.Run()
}

// disown has the attester know the party no longer, and takes its tokens.
func (q *Party) disown() {
	delete(q.p.accounts, [ed25519.PublicKeySize]byte(q.key[ed25519.SeedSize:]))
	q.purse.held = nil
	q.disowned = true
}
