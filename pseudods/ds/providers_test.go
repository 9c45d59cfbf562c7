package ds_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestINV11ProvidersAreBounded: each message is stored once for each provider, so that
// members with addresses at providers without end would leave no room for one. They
// are refused, whichever way they come, and the group goes on.
func TestINV11ProvidersAreBounded(t *testing.T) {
	r := newRig(t, nil)
	a := r.found("user 0") // at one.example
	var others []*client
	for i := range ds.MaxProviders - 1 {
		others = append(others, r.person(fmt.Sprint("user ", i+1), fmt.Sprintf("%d.example", i)))
	}
	r.ok(a.add(wire.OpAddUsers, others...))
	all := append([]*client{a}, others...)
	r.settle(a, all...)
	r.refused(a.add(wire.OpAddUsers, r.person("one too many", "many.example")), wire.CodeFull)
	another := r.person("another", "0.example")
	r.ok(a.add(wire.OpAddUsers, another))
	r.settle(a, append(all, another)...)

	b := all[1]
	moveTo := func(provider string) error {
		before := b.address
		b.newAddress(provider, wire.AddressBound)
		err := b.call(b.request(wire.OpUpdateQueueAddress, &wire.UpdateAddress{Group: b.id(), Address: b.address}, b.leafAuth(), stateKey(b.Group)), nil)
		if err != nil {
			b.address = before
		}
		return err
	}
	r.refused(moveTo("many.example"), wire.CodeFull)
	r.ok(moveTo("1.example"))
	r.ok(a.send(strings.Repeat("still here ", 10_000)))
}
