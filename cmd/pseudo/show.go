package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// zeroWidthJoiner makes one picture of several.
const zeroWidthJoiner = '\u200d'

// shown is a text of somebody else's as a terminal may get it: nothing in it moves
// the cursor or changes the direction of writing. Further lines are indented.
func shown(text string) string {
	var b strings.Builder
	for _, r := range strings.TrimRight(text, "\r\n") {
		switch {
		case r == '\n':
			b.WriteString("\n    ")
		case r == '\t':
			b.WriteByte(' ')
		case r == '\r':
		case unicode.IsPrint(r), r == zeroWidthJoiner:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// named is a name on a terminal: quoted, unless it looks like one and like nothing
// that this program writes by itself.
func named(name string) string {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.@+", r)
	}
	if name == "" || strings.HasPrefix(name, unverified) || strings.ContainsFunc(name, odd) {
		return strconv.Quote(name)
	}
	return name
}

// unverified begins what [client.Member.String] says of somebody without a name.
const unverified = "unverified-"

// who names a member: by name if that is verified, or else by its pseudonym.
func who(m *client.Member) string {
	if m.Name == "" {
		return m.String()
	}
	return named(m.String())
}

// fingerprint is a user's key for people to compare.
func fingerprint(key []byte) string { return (&account.Contact{Identity: key}).Fingerprint() }

// short is the beginning of a group's identifier, by which a group can be named.
func short(id wire.GroupID) string { return hex.EncodeToString(id[:4]) }

// groupName is what the user calls a group.
func groupName(g *client.Group) string {
	if l := g.Label(); l != "" {
		return l
	}
	return short(g.ID())
}

// groupNamed is groupName for a group that may be gone.
func (s *session) groupNamed(id wire.GroupID) string {
	for _, g := range s.Groups() {
		if g.ID() == id {
			return groupName(g)
		}
	}
	return short(id)
}

var stateNames = map[client.State]string{
	client.StateCreating: "being created", client.StateActive: "member", client.StateLeaving: "leaving",
	client.StateLost: "lost track, rejoin it", client.StateLeft: "left",
}

var contactNames = map[account.ContactState]string{
	account.ContactOffered: "asked by you", account.ContactAsked: "asks you", account.ContactAccepted: "contact", account.ContactBlocked: "blocked",
}

// table prints columns.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		for len(r) > 0 && r[len(r)-1] == "" {
			r = r[:len(r)-1]
		}
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}
