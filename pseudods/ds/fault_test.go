package ds_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
)

// disk is an embedded database that fails at a step, and can be opened again.
type disk struct {
	dir    string
	db     *badger.DB
	failAt atomic.Int32
}

func (d *disk) open() ds.Store {
	d.failAt.Store(-1)
	d.db = must(badger.Open(badger.Config{Dir: d.dir, Format: groups.Format, MinFree: 1, Fault: func(step badger.Step) error {
		if int32(step) == d.failAt.Load() {
			return errors.New("disk failed")
		}
		return nil
	}}))
	return groups.New(d.db)
}

// TestINV06FaultsLoseNothing: whatever step of the disk fails in a request, the
// same request later gives its answer, and its message goes out once.
func TestINV06FaultsLoseNothing(t *testing.T) {
	for step := badger.StepPersist; step <= badger.StepAnswer; step++ {
		t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
			d := &disk{dir: filepath.Join(t.TempDir(), "db")}
			r := newRig(t, func(c *ds.Config) { c.Store = d.open() })
			defer func() { d.db.Close() }()
			all := r.founded(3)
			a, b, c := all[0], all[1], all[2]
			try := func(request []byte) {
				t.Helper()
				d.failAt.Store(int32(step))
				r.refused(r.call(request, nil), wire.CodeInternal)
				r.ok(d.db.Close())
				r.cfg.Store = d.open()
				r.restart()
				var first, second wire.Accepted
				r.ok(r.call(request, &first))
				r.ok(r.call(request, &second))
				if !reflect.DeepEqual(first, second) {
					t.Fatalf("one answer is %+v, another %+v", first, second)
				}
				r.settle(a, all...)
			}
			try(a.sign(a.sendRequest("one")))
			update := a.commitBody(group.CommitOptions{ForcePath: true})
			request := a.request(wire.OpUpdate, update, a.leafAuth(), stateKey(a.Group))
			try(request)
			if a.Pending() != nil {
				t.Fatal("the committer's own commit did not come back")
			}
			try(b.sign(b.sendRequest("two")))
			try(b.request(wire.OpTargetedMessage, &wire.TargetedMessage{Group: b.id(), Leaf: must(c.OwnLeaf()), Content: []byte("psst")}, b.leafAuth(), stateKey(b.Group)))
			_, policy := a.commitRequest(wire.OpChangePolicy, a.policyProposal(func(p *wire.GroupPolicy) { p.MaxMembers = 9 }))
			try(policy)
			if got := fmt.Sprint(c.targeted); got != "[1: psst]" || !c.Context().Extensions.Equal(a.Context().Extensions) {
				t.Fatalf("got %s, or another policy", got)
			}
			if fmt.Sprint(c.seen) != "[one two]" || c.Epoch() != a.Epoch() {
				t.Fatalf("saw %q", c.seen)
			}
		})
	}
}
