package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/pseudods/pseudods/internal/secret"
)

// groupMembers lists members.
type groupMembers struct {
	plain
	Group string
}

func (w *groupMembers) take(args []string, _ terminal) error { return oneName(&w.Group, args) }

func (w *groupMembers) do(ctx context.Context, s *session) error {
	g, err := s.group(ctx, w.Group)
	if err != nil {
		return err
	}
	members, err := g.Members()
	if err != nil {
		return err
	}
	policy := g.Policy()
	var rows [][]string
	for i := range members {
		m := &members[i]
		row := []string{who(m), "unverified", "", m.Provider}
		if m.Verified {
			row[1], row[2] = "verified", fingerprint(m.Key)
		}
		var marks []string
		if m.Own {
			marks = append(marks, "you")
		} else if m.OwnUser {
			marks = append(marks, "your other device")
		}
		if len(policy.Admins) > 0 && policy.IsAdmin(m.User) {
			marks = append(marks, "admin")
		}
		rows = append(rows, append(row, strings.Join(marks, ", ")))
	}
	if err := table(s.out, rows); err != nil {
		return err
	}
	code, err := g.Authenticator()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "safety code %s\n", safetyCode(code))
	return err
}

// safetyCode is what members read to one another to see that they are in one and
// the same group: eight groups of five digits, about 132 bits, so that nobody can
// make two groups with the same code.
func safetyCode(authenticator secret.Bytes) string {
	var groups []string
	for b := authenticator.Reveal(); len(b) >= 4 && len(groups) < 8; b = b[4:] {
		groups = append(groups, fmt.Sprintf("%05d", binary.BigEndian.Uint32(b)%100000))
	}
	return strings.Join(groups, " ")
}
