package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// groupPolicy shows a group's policy, or changes what flags name.
type groupPolicy struct {
	Group string
	// Changes are flags as they were given, in their order.
	Changes []policyChange
}

type policyChange struct{ What, Value string }

// policyFlags are what can be changed, each with a check of its value.
var policyFlags = []struct {
	name, help string
	check      func(string) error
}{
	{"max-members", "the largest `number` of members; 0 for what the server allows", func(v string) error {
		_, err := strconv.ParseUint(v, 10, 32)
		return err
	}},
	{"bare", "`yes` or no: admit members who show no credential of this system", isSwitch},
	{"external-joins", "`yes` or no: whoever has the group's key may join", isSwitch},
	{"guests", "`yes` or no: members of other providers may add and remove", isSwitch},
	{"admin", "make a `member` an admin", isMember},
	{"no-admin", "a `member` who is no admin any more", isMember},
	{"unban", "a `pseudonym` in hexadecimal that may come back", func(v string) error {
		_, err := hex.DecodeString(v)
		return err
	}},
}

func isSwitch(v string) error {
	if v != "yes" && v != "no" {
		return fmt.Errorf("yes or no, not %q", v)
	}
	return nil
}

func isMember(v string) error {
	if v == "" {
		return fmt.Errorf("no name")
	}
	return nil
}

func (w *groupPolicy) flags(f *flag.FlagSet) {
	for _, p := range policyFlags {
		f.Func(p.name, p.help, func(v string) error {
			w.Changes = append(w.Changes, policyChange{p.name, v})
			return p.check(v)
		})
	}
}

func (w *groupPolicy) take(args []string, _ terminal) error { return oneName(&w.Group, args) }

func (w *groupPolicy) do(ctx context.Context, s *session) error {
	g, err := s.group(ctx, w.Group)
	if err != nil {
		return err
	}
	members, err := g.Members()
	if err != nil {
		return err
	}
	if len(w.Changes) == 0 {
		return showPolicy(s, g.Policy(), members)
	}
	pseudonyms := map[string]string{}
	for _, c := range w.Changes {
		if c.What != "admin" && c.What != "no-admin" {
			continue
		}
		if pseudonyms[c.Value], err = findUser(members, c.Value); err != nil {
			return err
		}
	}
	change := func(p *wire.GroupPolicy) {
		for _, c := range w.Changes {
			c.apply(p, pseudonyms)
		}
	}
	now, next := g.Policy(), g.Policy()
	change(&next)
	for _, m := range members {
		if m.Own && now.IsAdmin(m.User) && !next.IsAdmin(m.User) {
			return errors.New("you would be no admin any more: name yourself with -admin too, or have another admin do it")
		}
	}
	return g.ChangePolicy(ctx, change)
}

func (c policyChange) apply(p *wire.GroupPolicy, pseudonyms map[string]string) {
	yes := c.Value == "yes"
	switch c.What {
	case "max-members":
		n, _ := strconv.ParseUint(c.Value, 10, 32)
		p.MaxMembers = uint32(n)
	case "bare":
		p.BarePseudonyms = yes
	case "external-joins":
		p.ExternalJoins = yes
	case "guests":
		p.Guests = yes
	case "admin":
		p.Admins = append(without(p.Admins, pseudonyms[c.Value]), []byte(pseudonyms[c.Value]))
	case "no-admin":
		p.Admins = without(p.Admins, pseudonyms[c.Value])
	case "unban":
		b, _ := hex.DecodeString(c.Value)
		p.Banned = without(p.Banned, string(b))
	}
}

func without(users [][]byte, user string) [][]byte {
	return slices.DeleteFunc(slices.Clone(users), func(u []byte) bool { return string(u) == user })
}

// findUser returns the name in the group of the one user that a name means.
func findUser(members []client.Member, name string) (string, error) {
	found := map[string]bool{}
	user := ""
	for i := range members {
		if m := &members[i]; m.String() == name {
			user = m.User
			found[user] = true
		}
	}
	if len(found) != 1 {
		return "", client.ErrNoMember
	}
	return user, nil
}

func showPolicy(s *session, p wire.GroupPolicy, members []client.Member) error {
	onOff := map[bool]string{true: "yes", false: "no"}
	most := "what the server allows"
	if p.MaxMembers > 0 {
		most = strconv.FormatUint(uint64(p.MaxMembers), 10)
	}
	admins := "every member"
	if len(p.Admins) > 0 {
		admins = users(p.Admins, members)
	}
	rows := [][]string{
		{"profile", httpapi.ProfileName(p.Profile)}, {"admins", admins}, {"max-members", most}, {"bare", onOff[p.BarePseudonyms]},
		{"external-joins", onOff[p.ExternalJoins]}, {"guests", onOff[p.Guests]},
	}
	if len(p.Banned) > 0 {
		rows = append(rows, []string{"banned", users(p.Banned, nil)})
	}
	return table(s.out, rows)
}

// users names users: members by who they are, others by their pseudonym.
func users(list [][]byte, members []client.Member) string {
	var names []string
	for _, u := range list {
		name := hex.EncodeToString(u)
		if i := slices.IndexFunc(members, func(m client.Member) bool { return m.User == string(u) }); i >= 0 {
			name = who(&members[i])
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
