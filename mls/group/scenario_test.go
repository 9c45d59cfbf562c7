package group_test

import (
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
)

// overSuites runs a scenario for every cipher suite.
func overSuites(t *testing.T, f func(*testing.T, mls.CipherSuite)) {
	for _, c := range mls.CipherSuites() {
		t.Run(fmt.Sprintf("suite=%v", c), func(t *testing.T) { f(t, c) })
	}
}

func TestAddSendRemove(t *testing.T) {
	overSuites(t, func(t *testing.T, c mls.CipherSuite) {
		all := people(t, c, 4)
		alice, bob, carol, dave := all[0], all[1], all[2], all[3]
		bob.hears(alice.sends("hello"), "hello")
		made := bob.commits(group.CommitOptions{Proposals: []*mls.Proposal{group.Remove(carol.leaf())}}, alice, dave)
		r := carol.takes(made.Message)
		if r.Committed.Ended != group.EndRemoved || carol.Ended() != group.EndRemoved {
			t.Fatal("carol does not know that she was removed")
		}
		alice.hears(dave.sends("she is gone"), "she is gone")
		alice.commits(group.CommitOptions{}, bob, dave)
	})
}
