package snapshot

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
)

// step is something that happens while the provider grows, after others.
type step struct {
	after []*step
	done  bool
	do    func() error
}

// plan decides who will be where, and what has to happen for it.
func (w *world) plan() (steps []*step) {
	add := func(do func() error, after ...*step) *step {
		s := &step{after: after, do: do}
		steps = append(steps, s)
		return s
	}
	arrived := make([]*step, len(w.users))
	for i, u := range w.users {
		arrived[i] = add(func() error { return w.arrive(u) })
		if i%2 == 0 {
			add(func() error { return w.link(u) }, arrived[i])
		}
	}
	met := map[[2]int]*step{}
	meet := func(a, b *user) *step {
		pair := [2]int{min(a.number, b.number), max(a.number, b.number)}
		if met[pair] == nil {
			met[pair] = add(func() error { return w.meet(a, b) }, arrived[a.number], arrived[b.number])
		}
		return met[pair]
	}
	for i := range w.Groups {
		members := 2 + w.rand.IntN(3)
		var users []*user
		for _, n := range w.rand.Perm(len(w.users))[:min(members, len(w.users))] {
			users = append(users, w.users[n])
		}
		c := &circle{label: fmt.Sprint("circle-", i), founder: users[0], users: users[:1], rate: math.Exp(1.5 * w.rand.NormFloat64())}
		w.groups = append(w.groups, c)
		created := add(func() error {
			_, err := c.founder.devices[0].CreateGroup(w.ctx, c.label, client.GroupOptions{Admin: true})
			return err
		}, arrived[c.founder.number])
		for _, u := range users[1:] {
			add(func() error { return w.invite(c, u) }, created, meet(c.founder, u))
		}
	}
	return steps
}

// grow does all steps, in a random order that respects what comes after what.
func (w *world) grow(steps []*step) error {
	for n := range steps {
		var ready []*step
		for _, s := range steps {
			if !s.done && !slices.ContainsFunc(s.after, func(b *step) bool { return !b.done }) {
				ready = append(ready, s)
			}
		}
		s := ready[w.rand.IntN(len(ready))]
		if err := s.do(); err != nil {
			return err
		}
		s.done = true
		if n%(1+len(steps)/4) == len(steps)/4 {
			if err := errors.Join(w.rest(), w.pass()); err != nil {
				return err
			}
		}
	}
	return errors.Join(w.rest(), w.pass())
}

// meet has a ask b for contact, who accepts.
func (w *world) meet(a, b *user) error {
	card, err := b.devices[0].Account().Card()
	if err != nil {
		return err
	}
	if err := a.devices[0].Account().Connect(w.ctx, card, []byte("hello")); err != nil {
		return err
	}
	if err := w.until(b.devices[0], client.EventOffer); err != nil {
		return err
	}
	if err := b.devices[0].Account().Accept(w.ctx, a.name); err != nil {
		return err
	}
	a.knows[b], b.knows[a] = true, true
	return w.until(a.devices[0], client.EventContact)
}

// in returns a client's view of a group, nil if it is no member as far as it
// knows.
func (d *device) in(c *circle) *client.Group {
	founders := c.founder.devices[0].Groups()
	at := slices.IndexFunc(founders, func(g *client.Group) bool { return g.Label() == c.label })
	for _, g := range d.Groups() {
		if at >= 0 && g.ID() == founders[at].ID() && g.State() == client.StateActive {
			return g
		}
	}
	return nil
}

// invite has the founder of a group add somebody it knows, whose first client
// takes notice. Others of its clients come in by themselves as they read.
func (w *world) invite(c *circle, u *user) error {
	founder := c.founder.devices[0]
	contact, err := founder.Account().Contact(u.name)
	if err != nil {
		return err
	}
	if err := w.read(founder); err != nil {
		return err
	}
	if err := founder.in(c).Invite(w.ctx, []*account.Contact{contact}...); err != nil {
		return fmt.Errorf("%s into %s: %w", u.name, c.label, err)
	}
	c.users = append(c.users, u)
	return w.until(u.devices[0], client.EventJoined)
}

// remove has the founder of a group remove somebody.
func (w *world) remove(c *circle, u *user) error {
	if err := w.read(c.founder.devices[0]); err != nil {
		return err
	}
	if err := c.founder.devices[0].in(c).Remove(w.ctx, u.name); err != nil {
		return fmt.Errorf("%s from %s: %w", u.name, c.label, err)
	}
	c.users = slices.DeleteFunc(c.users, func(m *user) bool { return m == u })
	return nil
}

// talk has so many messages sent and read. After every eighth its author renews its
// keys, and every twentieth time somebody joins or is removed.
func (w *world) talk(messages int) error {
	for n := range messages {
		c := w.active()
		u := c.users[w.rand.IntN(len(c.users))]
		author := u.devices[w.rand.IntN(len(u.devices))]
		if err := w.say(c, author); err != nil {
			return err
		}
		if n%8 == 4 {
			if err := w.renew(c, author); err != nil {
				return err
			}
		}
		for _, i := range w.rand.Perm(len(w.clients)) {
			if d := w.clients[i]; d.online && d.in(c) != nil {
				if err := w.read(d); err != nil {
					return err
				}
			}
		}
		if w.rand.IntN(3) == 0 {
			d := w.clients[w.rand.IntN(len(w.clients))]
			if d.online = !d.online; d.online {
				if err := w.read(d); err != nil {
					return err
				}
			}
		}
		if err := w.follow(); err != nil {
			return err
		}
		if n%20 == 10 {
			if err := w.change(); err != nil {
				return err
			}
		}
	}
	return nil
}

// active draws a group by its rate.
func (w *world) active() *circle {
	total := 0.0
	for _, c := range w.groups {
		total += c.rate
	}
	x := w.rand.Float64() * total
	for _, c := range w.groups {
		if x -= c.rate; x < 0 {
			return c
		}
	}
	return w.groups[0]
}

// say has a client send a text of a random length: log-normal around 40 octets.
func (w *world) say(c *circle, d *device) error {
	text := make([]byte, min(4000, 1+int(40*math.Exp(w.rand.NormFloat64()))))
	for i := range text {
		text[i] = 'a' + byte(w.rand.IntN(26))
	}
	if err := w.read(d); err != nil {
		return err
	}
	g := d.in(c)
	if g == nil { // a second client that is not in yet, or somebody who missed something
		return nil
	}
	return mild(g.Send(w.ctx, text))
}

// renew has a client replace its keys in a group.
func (w *world) renew(c *circle, d *device) error {
	if g := d.in(c); g != nil {
		return mild(g.Update(w.ctx))
	}
	return nil
}

// mild drops what happens to those who have missed something.
func mild(err error) error {
	for _, m := range []error{client.ErrKept, client.ErrLost, client.ErrNotMember, client.ErrPending, client.ErrBusy} {
		if errors.Is(err, m) {
			return nil
		}
	}
	return err
}

// change removes somebody from a group, or adds somebody its founder knows.
func (w *world) change() error {
	c := w.groups[w.rand.IntN(len(w.groups))]
	var strangers []*user
	for _, u := range w.users {
		if c.founder.knows[u] && !slices.Contains(c.users, u) && u.devices[0].online {
			strangers = append(strangers, u)
		}
	}
	if len(strangers) > 0 && (len(c.users) < 4 || w.rand.IntN(2) == 0) {
		u := strangers[w.rand.IntN(len(strangers))]
		if u.devices[0].in(c) != nil {
			return nil // was removed, and has not read so
		}
		return w.invite(c, u)
	}
	if len(c.users) < 3 {
		return nil
	}
	return w.remove(c, c.users[1+w.rand.IntN(len(c.users)-1)])
}
