package client

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func suspectOf(n byte) suspect {
	return suspect{credential: wire.PseudonymousCredential{Client: wire.Pseudonym{n}, Provider: "one.example", UserAuthKey: make([]byte, 32), IdentityLink: make([]byte, 200)},
		signatureKey: []byte("key"), linkKey: identity.LinkKey{Bytes: octets(n, 32)}, member: Member{Name: "bob"}}
}

func shownBy(n byte, sequence uint64, size int) shown {
	return shown{sequence, wire.Pseudonym{n}, wire.FrankedMessage{Content: make([]byte, size), Key: octets(2, 32), Epoch: 3}}
}

// TestEvidenceIsBounded: the last messages stay, with those who sent them, and one
// that comes again is kept once.
func TestEvidenceIsBounded(t *testing.T) {
	var e evidence
	for n := range 10 {
		for range 2 {
			e.keep(4, suspectOf(byte(n/2)), shownBy(byte(n/2), uint64(n), 100))
		}
	}
	if len(e.messages) != 4 || e.messages[0].sequence != 6 || len(e.senders) != 2 || e.sender(wire.Pseudonym{2}) != nil || e.sender(wire.Pseudonym{4}) == nil {
		t.Errorf("%d messages of %d senders", len(e.messages), len(e.senders))
	}
	e.keep(4, suspectOf(9), shownBy(9, 100, maxEvidenceSize))
	if len(e.messages) != 1 || len(e.senders) != 1 {
		t.Errorf("after a long one %d messages of %d senders", len(e.messages), len(e.senders))
	}
	e.keep(4, suspectOf(8), shownBy(8, 101, maxEvidenceSize+1))
	if len(e.messages) != 0 || len(e.senders) != 0 {
		t.Errorf("after one that is too long %d messages of %d senders", len(e.messages), len(e.senders))
	}
}

func exampleEvidence(t testing.TB) []byte {
	t.Helper()
	e := evidence{serviceKeys: [][]byte{make([]byte, 32)}}
	e.keep(4, suspectOf(1), shownBy(1, 1, 10))
	unknown := suspectOf(2)
	unknown.linkKey = identity.LinkKey{}
	e.keep(4, unknown, shownBy(2, 2, 10))
	full, err := mls.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func TestEvidenceRoundTrip(t *testing.T) {
	full := exampleEvidence(t)
	var e evidence
	if err := mls.Unmarshal(full, &e); err != nil || len(e.messages) != 2 || len(e.senders) != 2 {
		t.Fatal(err)
	}
	if again, err := mls.Marshal(&e); err != nil || !bytes.Equal(again, full) {
		t.Errorf("evidence changes on the way: %v", err)
	}
	for n := range full {
		if err := mls.Unmarshal(full[:n], &e); !errors.Is(err, tlscodec.ErrMalformed) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	if err := mls.Unmarshal(append(bytes.Clone(full), 0), &e); !errors.Is(err, tlscodec.ErrMalformed) {
		t.Errorf("trailing octet: %v", err)
	}
}

func FuzzEvidence(f *testing.F) {
	f.Add(exampleEvidence(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e evidence
		if mls.Unmarshal(b, &e) != nil {
			return
		}
		if again, err := mls.Marshal(&e); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x becomes %x, %v", b, again, err)
		}
	})
}
