package client

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func octets(n byte, size int) secret.Bytes { return secret.New(bytes.Repeat([]byte{n}, size)) }

func exampleRecord(t testing.TB) *record {
	t.Helper()
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		t.Fatal(err)
	}
	key := func() *mls.SignatureKey {
		k, err := suite.GenerateSignatureKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	var w tlscodec.Writer // as package account writes one
	w.Uint16(uint16(mls.X25519AES128GCM))
	w.Opaque8(key().Private().Reveal())
	user := key()
	(&wire.PseudonymousCredential{Provider: "one.example", UserAuthKey: user.Public(), IdentityLink: make([]byte, 200)}).MarshalTLS(&w)
	w.Raw(octets(1, identity.LinkKeySize).Reveal())
	w.Raw(user.Private().Reveal())
	encoded, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var p account.Persona
	if err := mls.Unmarshal(encoded, &p); err != nil {
		t.Fatal(err)
	}
	return &record{state: StateActive, domain: "one.example", label: "friends", persona: p, address: wire.AddressID{2}, bound: true, sequence: 7,
		mls: []byte("state"), generation: 3, rosterKey: octets(4, 32), parts: [][]byte{[]byte("part"), []byte("another")},
		told: map[wire.Pseudonym]identity.LinkKey{{5}: {Bytes: octets(5, 32)}}, stale: true, newcomer: true, hello: true, unwanted: true,
		commit: &pendingCommit{digest: [32]byte{6}, until: 8, part: &wire.RosterPart{Generation: 4, Part: []byte("next")}, key: octets(7, 32), op: wire.OpUpdate, body: octets(11, 100)},
		outbox: []outgoing{{content: []byte("content"), until: 9}}, seen: [][contentIDSize]byte{{8}},
		events: events{list: []Event{{Kind: EventMessage, Group: wire.GroupID{1}, Sequence: 7, Member: Member{Leaf: 1, Name: "bob", Key: make([]byte, 32), Verified: true}, Text: []byte("hello")}}},
		access: octets(9, 32), granted: octets(10, 32)}
}

func TestRecordRoundTrip(t *testing.T) {
	full, err := mls.Marshal(exampleRecord(t))
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseRecord(full)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := mls.Marshal(r); err != nil || !bytes.Equal(again, full) {
		t.Errorf("record changes on the way: %v", err)
	}
	for n := range full {
		if _, err := parseRecord(full[:n]); !errors.Is(err, tlscodec.ErrMalformed) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	if _, err := parseRecord(append(bytes.Clone(full), 0)); !errors.Is(err, tlscodec.ErrMalformed) {
		t.Errorf("trailing octet: %v", err)
	}
}

func contents() []*content {
	id := [contentIDSize]byte{1}
	return []*content{
		{kind: contentText, id: id, text: []byte("hello")},
		{kind: contentHello, id: id, client: wire.Pseudonym{2}, link: octets(3, 32)},
		{kind: contentRoster, id: id, generation: 4, key: octets(5, 32)},
	}
}

func TestContentRoundTrip(t *testing.T) {
	for _, c := range contents() {
		full, err := mls.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var got content
		if err := mls.Unmarshal(full, &got); err != nil {
			t.Fatal(err)
		}
		if again, err := mls.Marshal(&got); err != nil || !bytes.Equal(again, full) {
			t.Errorf("content of kind %d changes on the way: %v", c.kind, err)
		}
		for n := range full {
			if err := mls.Unmarshal(full[:n], &got); !errors.Is(err, tlscodec.ErrMalformed) {
				t.Errorf("kind %d: prefix of %d octets: %v", c.kind, n, err)
			}
		}
		if err := mls.Unmarshal(append(full, 0), &got); !errors.Is(err, tlscodec.ErrMalformed) {
			t.Errorf("kind %d: trailing octet: %v", c.kind, err)
		}
	}
}

func FuzzContent(f *testing.F) {
	for _, c := range contents() {
		b, err := mls.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c content
		if mls.Unmarshal(b, &c) != nil {
			return
		}
		if again, err := mls.Marshal(&c); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x becomes %x, %v", b, again, err)
		}
	})
}

func TestRememberIsBounded(t *testing.T) {
	var r record
	for n := range 2 * maxSeen {
		id := [contentIDSize]byte{byte(n), byte(n >> 8)}
		if r.remember(id) || !r.remember(id) {
			t.Fatalf("content %d", n)
		}
	}
	if len(r.seen) != maxSeen {
		t.Errorf("%d contents are remembered", len(r.seen))
	}
}
