package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
)

// groupCreate makes a group.
type groupCreate struct {
	Name                     string
	Admin, NoServerProposals bool
}

func (w *groupCreate) flags(f *flag.FlagSet) {
	f.BoolVar(&w.Admin, "admin", false, "only you may add and remove members, and change the policy")
	f.BoolVar(&w.NoServerProposals, "no-server-proposals", false, "the server may not propose to remove members that are gone; some MLS clients need that")
}

func (w *groupCreate) take(args []string, _ terminal) error { return oneName(&w.Name, args) }

func (w *groupCreate) do(ctx context.Context, s *session) error {
	if old, err := s.Group(w.Name); err == nil && old.State() != client.StateLeft {
		return fmt.Errorf("you have a group named %s already", named(w.Name))
	}
	g, err := s.CreateGroup(ctx, w.Name, client.GroupOptions{Admin: w.Admin, NoServerProposals: w.NoServerProposals})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "made group %s (%s)\n", named(groupName(g)), short(g.ID()))
	return err
}

// groupList lists groups.
type groupList struct{ plain }

func (w *groupList) take(args []string, _ terminal) error { return exactly(0, args) }

func (w *groupList) do(ctx context.Context, s *session) error {
	s.current(ctx)
	var rows [][]string
	for _, g := range s.Groups() {
		row := []string{named(groupName(g)), short(g.ID()), stateNames[g.State()]}
		if members, err := g.Members(); err == nil {
			row = append(row, fmt.Sprintf("%d members", len(members)))
		}
		if n := g.Outbox(); n > 0 {
			row = append(row, fmt.Sprintf("%d to send", n))
		}
		rows = append(rows, row)
	}
	return table(s.out, rows)
}

// groupInvite adds contacts.
type groupInvite struct {
	plain
	Group    string
	Contacts []string
}

func (w *groupInvite) take(args []string, _ terminal) error {
	if len(args) < 2 {
		return usagef("which group, and whom?")
	}
	w.Group, w.Contacts = args[0], args[1:]
	return nil
}

func (w *groupInvite) do(ctx context.Context, s *session) error {
	g, err := s.group(ctx, w.Group)
	if err != nil {
		return err
	}
	var contacts []*account.Contact
	for _, name := range w.Contacts {
		c, err := s.Account().Contact(name)
		if err != nil {
			return &about{named(name), err}
		}
		if c.State != account.ContactAccepted {
			return fmt.Errorf("%s is no contact yet: %s", named(name), contactNames[c.State])
		}
		contacts = append(contacts, c)
	}
	return g.Invite(ctx, contacts...)
}

// groupRemove removes a member.
type groupRemove struct {
	plain
	Group, Member string
	Ban           bool
}

func (w *groupRemove) take(args []string, _ terminal) error {
	if err := exactly(2, args); err != nil {
		return err
	}
	w.Group, w.Member = args[0], args[1]
	return nil
}

func (w *groupRemove) do(ctx context.Context, s *session) error {
	g, err := s.group(ctx, w.Group)
	if err != nil {
		return err
	}
	if w.Ban {
		return g.Ban(ctx, w.Member)
	}
	return g.Remove(ctx, w.Member)
}

// groupRename changes the user's own name for a group.
type groupRename struct {
	plain
	Group, Name string
}

func (w *groupRename) take(args []string, _ terminal) error {
	if err := exactly(2, args); err != nil {
		return err
	}
	w.Group, w.Name = args[0], args[1]
	return nil
}

func (w *groupRename) do(_ context.Context, s *session) error {
	g, err := s.Group(w.Group)
	if err != nil {
		return err
	}
	if other, err := s.Group(w.Name); err == nil && other != g && other.State() != client.StateLeft {
		return fmt.Errorf("you have a group named %s already", named(w.Name))
	}
	return g.SetLabel(w.Name)
}

// groupRejoin comes back.
type groupRejoin struct {
	plain
	Group string
}

func (w *groupRejoin) take(args []string, _ terminal) error { return oneName(&w.Group, args) }

func (w *groupRejoin) do(ctx context.Context, s *session) error {
	g, err := s.group(ctx, w.Group)
	if err != nil {
		return err
	}
	return g.Rejoin(ctx)
}

// groupEnd ends the user's part in a group.
type groupEnd struct {
	plain
	Group, How string
}

func (w *groupEnd) take(args []string, _ terminal) error { return oneName(&w.Group, args) }

func (w *groupEnd) do(ctx context.Context, s *session) error {
	g, err := s.group(ctx, w.Group)
	if err != nil {
		return err
	}
	switch w.How {
	case "delete":
		return g.Delete(ctx)
	case "block":
		return g.Block(ctx)
	case "forget":
		return g.Forget()
	}
	if err := g.Leave(ctx); err != nil {
		return err
	}
	if g.State() == client.StateLeaving {
		s.notes.say("asked to leave; it is done when another member is next online")
	}
	return nil
}
