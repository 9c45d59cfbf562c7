package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var malformedFlood = Scenario{
	Name: "malformed-flood", Models: []string{"S52"},
	Attacker: "each account sends a hundred requests a second that are wrong: cut off, under a random group state key, signed by nobody, with a message of random octets, with a token that nobody issued; in turn",
	Load:     "two members of a group write to each other every five seconds",
	Effect:   "a wrong request that the services had to look at before they refused it",
	Sessions: 1, Window: 3 * time.Minute, Quick: 10 * time.Second,
	Play: playMalformed,
}

func playMalformed(ctx context.Context, w *World) error {
	alice, bob, g, insiders, err := w.infiltrate(ctx)
	if err != nil {
		return err
	}
	if _, err := w.converse(g.ID(), alice, bob, 5*time.Second); err != nil {
		return err
	}
	for _, i := range insiders {
		n := 0
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.every(ctx, 10*time.Millisecond, func() error {
					n++
					err := i.wrong(ctx, n)
					if _, refused := Refused(err); refused && !errors.Is(err, &wire.Error{Code: wire.CodeRateLimited}) {
						w.Effect(1)
					}
					return err
				})
			})
		})
	}
	return w.Run()
}

// wrong sends one of several kinds of wrong requests.
func (i *Insider) wrong(ctx context.Context, n int) error {
	key, err := StateKey(i.Group)
	if err != nil {
		return err
	}
	leaf, err := i.Group.OwnLeaf()
	if err != nil {
		return err
	}
	auth := wire.Auth{Type: wire.AuthLeaf, Leaf: leaf}
	body := &wire.GroupMessage{Group: i.ID(), Message: random(300)}
	var paid [][]byte
	switch n % 5 {
	case 1:
		key = secret.New(random(wire.GroupStateKeySize))
	case 4:
		// Of the right form, and never issued.
		challenge := random(32)
		token := append(append([]byte{0, 5}, random(32)...), challenge...)
		paid = [][]byte{append(append(token, random(32)...), random(64)...)}
	}
	signer := i.MLS.Signer
	if n%5 == 2 {
		signer = i.User
	}
	r, err := i.Compose(wire.OpSendMessage, body, auth, key, signer, paid)
	if err != nil {
		return err
	}
	if n%5 == 0 {
		r = r[:len(r)-i.w.Rand.IntN(40)-1]
	}
	return i.Do(ctx, i.p, r, new(wire.Accepted))
}
