package ds_test

import (
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// withExtension has a client's leaves carry an extension of so many octets.
func (c *client) withExtension(n int) *client {
	const unknown mls.ExtensionType = 0xF777
	c.mls.Capabilities.Extensions = append(c.mls.Capabilities.Extensions, unknown)
	c.mls.Extensions = append(c.mls.Extensions, mls.Extension{Type: unknown, Data: make([]byte, n)})
	return c.called(c.mls.Credential)
}

// TestINV11LeavesAreBounded: a member's leaf may have what this service does not know,
// and not so much that nobody could fetch the group's leaves.
func TestINV11LeavesAreBounded(t *testing.T) {
	r := newRig(t, nil)
	a := r.found("user 0")
	b := r.person("user 1", "one.example").withExtension(ds.MaxLeaf / 2)
	r.refused(a.add(wire.OpAddUsers, r.person("user 2", "one.example").withExtension(ds.MaxLeaf)), wire.CodeTooLarge)
	r.ok(a.add(wire.OpAddUsers, b))
	r.settle(a, b)
	r.ok(b.commit(wire.OpUpdate, nil))
	c := r.person("user 3", "one.example").withExtension(ds.MaxLeaf)
	r.refused(r.call(c.createRequest(), nil), wire.CodeTooLarge)
}
