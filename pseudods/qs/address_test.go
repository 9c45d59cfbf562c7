package qs

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestOpenedAddressesAreRemembered: an address costs a public-key operation
// once, and what is remembered of it is not found for another use.
func TestOpenedAddressesAreRemembered(t *testing.T) {
	ring, err := addresskeys.Open(addresskeys.Config{Dir: filepath.Join(t.TempDir(), "keys")}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{cfg: Config{Keys: ring, Now: time.Now}, addresses: newGenerations[[32]byte, place](10, 0)}
	use := seal.Use{Domain: "ds.example", Binding: [32]byte{1}}
	a, err := seal.SealAddress(&ring.Published()[0].Key, wire.AddressBound, wire.QueueID{1}, wire.AddressID{2}, use)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := s.open(a, use)
	if !ok || p.queue != (wire.QueueID{1}) || p.address != (wire.AddressID{2}) || p.mark != markOf(p.queue, p.address) {
		t.Fatalf("opened as %+v, %t", p, ok)
	}
	p.queue[15] = 9 // so that an answer from memory can be told
	s.addresses.put(cacheKey(a, &use), p, time.Now())
	if again, ok := s.open(a, use); !ok || again != p {
		t.Error("the address was opened again")
	}
	for name, other := range map[string]seal.Use{"binding": {Domain: use.Domain, Binding: [32]byte{2}}, "domain": {Domain: "evil.example", Binding: use.Binding}} {
		if _, ok := s.open(a, other); ok {
			t.Errorf("opened for another %s", name)
		}
	}
	changed := *a
	changed.Kind = wire.AddressReusable
	if _, ok := s.open(&changed, use); ok {
		t.Error("opened as another kind")
	}
}
