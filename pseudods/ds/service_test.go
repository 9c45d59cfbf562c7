package ds_test

import (
	"testing"

	"github.com/pseudods/pseudods/pseudods/wire"
)

func TestGroupTalks(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3)
	r.ok(all[1].send("hello"))
	r.settle(all[0], all...)
	r.ok(all[0].commit(wire.OpUpdate, nil))
	r.settle(all[0], all...)
	r.ok(all[2].send("after an update"))
	r.settle(all[0], all...)
	r.ok(all[0].remove(wire.OpRemoveUsers, all[2]))
	r.settle(all[0], all...)
	if !all[2].gone {
		t.Fatal("the removed member did not get the commit that removed it")
	}
	r.ok(all[1].send("without you"))
	r.settle(all[0], all...)
	if got := all[0].seen; len(got) != 3 || got[2] != "without you" {
		t.Fatalf("saw %q", got)
	}
}
