package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pseudods/pseudods/client"
)

// errStory: something went otherwise than the story says.
var errStory = errors.New("demo: the story went wrong")

func (s *stage) play() error {
	for _, scene := range []func() error{s.arrive, s.meet, s.gather, s.addThird, s.removeThird, s.rejoin, s.report} {
		if err := scene(); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) arrive() error {
	s.scene("Three people become users")
	s.say("a provider runs at %s: delivery service, queue service, issuer, each with a store of its own", s.url)
	for _, name := range []string{"alice", "bob", "carol"} {
		start := time.Now()
		if _, err := s.join(name, false); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.say("%s makes an identity, earns tokens by work, and has a queue and KeyPackages (%.1f s)", name, time.Since(start).Seconds())
	}
	s.learned()
	return nil
}

// introduce has one ask another for contact, who accepts.
func (s *stage) introduce(from, to *person) error {
	card, err := to.Account().Card()
	if err != nil {
		return err
	}
	s.say("%s hands %s a contact card, on paper", to.name, from.name)
	if err := from.Account().Connect(s.ctx, card, []byte("it is "+from.name)); err != nil {
		return err
	}
	offer, err := to.until(client.EventOffer)
	if err != nil {
		return err
	}
	s.say("%s reads an offer of connection from %s: %q", to.name, offer.Member.Name, offer.Text)
	if err := to.Account().Accept(s.ctx, offer.Member.Name); err != nil {
		return err
	}
	_, err = from.until(client.EventContact)
	return err
}

func (s *stage) meet() error {
	s.scene("They meet")
	alice, bob, carol := s.people[0], s.people[1], s.people[2]
	if err := s.introduce(alice, bob); err != nil {
		return err
	}
	if err := s.introduce(alice, carol); err != nil {
		return err
	}
	s.learned()
	return nil
}

// group returns p's view of the story's group.
func (p *person) group() (*client.Group, error) { return p.Group("friends") }

// add has alice add somebody to the group.
func (s *stage) add(p *person) error {
	alice := s.people[0]
	g, err := alice.group()
	if err != nil {
		return err
	}
	contact, err := alice.Account().Contact(p.name + "@" + domain)
	if err != nil {
		return err
	}
	if err := g.Invite(s.ctx, contact); err != nil {
		return err
	}
	joined, err := p.until(client.EventJoined)
	if err != nil {
		return err
	}
	for _, own := range p.Groups() {
		if own.ID() == joined.Group {
			if err := own.SetLabel("friends"); err != nil {
				return err
			}
		}
	}
	s.say("%s is in the group, added by %s", p.name, joined.Member.String())
	return nil
}

// tell sends a text to the group, and checks who reads it.
func (s *stage) tell(from *person, text string, readers ...*person) error {
	g, err := from.group()
	if err != nil {
		return err
	}
	if err := g.Send(s.ctx, []byte(text)); err != nil {
		return err
	}
	s.said = append(s.said, text)
	s.say("%s: %s", from.name, text)
	for _, r := range readers {
		e, err := r.until(client.EventMessage)
		if err != nil {
			return err
		}
		if string(e.Text) != text || e.Member.Name != from.name+"@"+domain || !e.Member.Verified {
			return fmt.Errorf("%w: %s reads %q from %s", errStory, r.name, e.Text, e.Member.String())
		}
	}
	return nil
}

func (s *stage) gather() error {
	s.scene("Alice and Bob form a group and talk")
	alice, bob := s.people[0], s.people[1]
	if _, err := alice.CreateGroup(s.ctx, "friends", client.GroupOptions{}); err != nil {
		return err
	}
	if err := s.add(bob); err != nil {
		return err
	}
	if err := s.tell(alice, "nobody but us reads this", bob); err != nil {
		return err
	}
	if err := s.tell(bob, "and nobody knows that it is us", alice); err != nil {
		return err
	}
	s.learned()
	return nil
}

func (s *stage) addThird() error {
	s.scene("Carol joins")
	alice, bob, carol := s.people[0], s.people[1], s.people[2]
	if err := s.add(carol); err != nil {
		return err
	}
	if _, err := bob.until(client.EventAdded); err != nil {
		return err
	}
	if err := s.tell(carol, "hello, you two", alice, bob); err != nil {
		return err
	}
	s.learned()
	return nil
}

func (s *stage) removeThird() error {
	s.scene("Carol is removed")
	alice, bob, carol := s.people[0], s.people[1], s.people[2]
	g, err := alice.group()
	if err != nil {
		return err
	}
	theirs, err := carol.group()
	if err != nil {
		return err
	}
	if err := g.Remove(s.ctx, carol.name+"@"+domain); err != nil {
		return err
	}
	if _, err := carol.until(client.EventLeft); err != nil {
		return err
	}
	s.say("alice removes carol, whose client notices")
	if err := theirs.Send(s.ctx, []byte("can you hear me?")); !errors.Is(err, client.ErrNotMember) {
		return fmt.Errorf("%w: a removed member sends: %w", errStory, err)
	}
	if err := bob.idle(); err != nil {
		return err
	}
	if err := s.tell(bob, "carol cannot read this", alice); err != nil {
		return err
	}
	events, err := carol.Sync(s.ctx, 500*time.Millisecond)
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Kind == client.EventMessage {
			return fmt.Errorf("%w: a removed member reads", errStory)
		}
	}
	s.say("carol reads nothing more")
	s.learned()
	return nil
}

func (s *stage) rejoin() error {
	s.scene("Bob loses messages and rejoins")
	alice, bob := s.people[0], s.people[1]
	g, err := alice.group()
	if err != nil {
		return err
	}
	if err := g.Update(s.ctx); err != nil {
		return err
	}
	if err := bob.drop(); err != nil {
		return err
	}
	if err := g.Update(s.ctx); err != nil {
		return err
	}
	if _, err := bob.until(client.EventLost); err != nil {
		return err
	}
	s.say("bob's device lost a part of its queue and cannot follow the group")
	theirs, err := bob.group()
	if err != nil {
		return err
	}
	if err := theirs.Rejoin(s.ctx); err != nil {
		return err
	}
	if _, err := alice.until(client.EventRejoined); err != nil {
		return err
	}
	s.say("bob leaves and joins again by one commit of his own, under the same pseudonym")
	for range 2 {
		for _, p := range []*person{alice, bob} {
			if err := p.idle(); err != nil {
				return err
			}
		}
	}
	if err := s.tell(alice, "there you are", bob); err != nil {
		return err
	}
	s.learned()
	return nil
}

// drop throws away what waits in the queue.
func (p *person) drop() error {
	ctx, cancel := context.WithTimeout(p.s.ctx, wait)
	defer cancel()
	dropped := false
	for {
		in, err := p.Account().Receive(ctx, time.Second)
		if err != nil {
			return err
		}
		if len(in) == 0 {
			if !dropped {
				return fmt.Errorf("%w: nothing to lose", errStory)
			}
			return nil
		}
		dropped = true
		if err := p.Account().Ack(ctx, in[len(in)-1].Seq); err != nil {
			return err
		}
	}
}
