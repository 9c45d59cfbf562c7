package client

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// kinds are those of events.
func kinds(es []Event) (out []EventKind) {
	for _, e := range es {
		out = append(out, e.Kind)
	}
	return out
}

// TestEventsAreToldUntilTaken: what came after a Sync returned is not lost with
// what it returned, and what nobody has taken outlives the process.
func TestEventsAreToldUntilTaken(t *testing.T) {
	dir := t.TempDir()
	open := func() (*Client, func()) {
		v, err := vault.Open(dir, octets(1, vault.KeySize))
		if err != nil {
			t.Fatal(err)
		}
		c, err := start(Config{Account: account.Config{Vault: v}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c, func() {
			if err := errors.Join(c.saveDirty(), v.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(c *Client, want ...EventKind) {
		t.Helper()
		if got := kinds(c.gathered()); !slices.Equal(got, want) {
			t.Fatalf("told %v, want %v", got, want)
		}
	}
	c, end := open()
	c.events.add(Event{Kind: EventOffer})
	if !c.untold() {
		t.Error("nothing to tell")
	}
	expect(c, EventOffer)
	c.events.add(Event{Kind: EventContact})
	if err := c.Taken(); err != nil {
		t.Fatal(err)
	}
	expect(c, EventContact)
	expect(c, EventContact)
	end()

	c, end = open()
	if err := c.Taken(); err != nil { // of those that nobody was told
		t.Fatal(err)
	}
	expect(c, EventContact)
	if err := c.Taken(); err != nil || c.untold() {
		t.Fatal(err)
	}
	end()

	c, end = open()
	expect(c)
	end()
}

func TestEventsRoundTrip(t *testing.T) {
	e := events{list: []Event{{Kind: EventOffer, Member: Member{Name: "bob"}, Text: []byte("hi")}, {Kind: EventLeft}}}
	full, err := mls.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	var got events
	if err := mls.Unmarshal(full, &got); err != nil || !slices.Equal(kinds(got.list), kinds(e.list)) {
		t.Fatalf("%v, %v", got, err)
	}
	if again, err := mls.Marshal(&got); err != nil || !bytes.Equal(again, full) {
		t.Errorf("events change on the way: %v", err)
	}
	for n := range full {
		if err := mls.Unmarshal(full[:n], &got); !errors.Is(err, tlscodec.ErrMalformed) {
			t.Errorf("prefix of %d octets: %v", n, err)
		}
	}
	if err := mls.Unmarshal(append(full, 0), &got); !errors.Is(err, tlscodec.ErrMalformed) {
		t.Errorf("trailing octet: %v", err)
	}
}
