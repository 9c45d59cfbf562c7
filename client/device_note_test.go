package client

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

type codec interface {
	mls.Marshaler
	mls.Unmarshaler
}

// deviceRecords are what is said to other devices and kept of them.
func deviceRecords() map[string]codec {
	key := placeKey{wire.GroupID{1}, account.DeviceID{2}}
	return map[string]codec{
		"member": &note{kind: noteMember, group: wire.GroupID{1}, asked: true, label: "friends", client: wire.Pseudonym{2}, user: wire.Pseudonym{3},
			userAuth: octets(4, userAuthSize)},
		"package": &note{kind: notePackage, group: wire.GroupID{1}, keyPackage: []byte("package"), link: octets(5, identity.LinkKeySize)},
		"places": &places{at: map[placeKey]place{key: {told: true, present: true, client: wire.Pseudonym{3}}},
			ready: map[wire.GroupID]readyPackage{{4}: {user: wire.Pseudonym{5}, label: "friends", keyPackage: []byte("package"), link: octets(6, 32), ref: []byte("ref"), until: 7}}},
	}
}

func emptyLike(c codec) codec {
	if _, ok := c.(*places); ok {
		return new(places)
	}
	return new(note)
}

func TestDeviceRecordsRoundTrip(t *testing.T) {
	for name, c := range deviceRecords() {
		full, err := mls.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		got := emptyLike(c)
		if err := mls.Unmarshal(full, got); err != nil {
			t.Fatal(err)
		}
		if again, err := mls.Marshal(got); err != nil || !bytes.Equal(again, full) {
			t.Errorf("%s changes on the way: %v", name, err)
		}
		for n := range full {
			if err := mls.Unmarshal(full[:n], emptyLike(c)); !errors.Is(err, tlscodec.ErrMalformed) {
				t.Errorf("%s: prefix of %d octets: %v", name, n, err)
			}
		}
		if err := mls.Unmarshal(append(full, 0), emptyLike(c)); !errors.Is(err, tlscodec.ErrMalformed) {
			t.Errorf("%s: trailing octet: %v", name, err)
		}
	}
}

func FuzzDeviceNote(f *testing.F) {
	for _, c := range deviceRecords() {
		b, err := mls.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var n note
		if mls.Unmarshal(b, &n) != nil {
			return
		}
		if again, err := mls.Marshal(&n); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x becomes %x, %v", b, again, err)
		}
	})
}
