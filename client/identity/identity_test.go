package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func trust(*mls.Credential, ed25519.PublicKey) bool { return true }

func person(t testing.TB, name string) *Identity {
	t.Helper()
	id, err := New(mls.BasicCredential([]byte(name)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func pseudonym(t testing.TB, id *Identity, leafKey []byte) *Pseudonym {
	t.Helper()
	p, err := id.NewPseudonym(rand.Reader, wire.Pseudonym{7}, "example.org", make([]byte, ed25519.PublicKeySize), leafKey)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLinkOpensForItsLeafAlone(t *testing.T) {
	alice, leafKey := person(t, "alice@example.org"), []byte("alice's leaf key")
	p := pseudonym(t, alice, leafKey)
	o, err := OpenLink(&p.Credential, leafKey, p.LinkKey, trust)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Credential.Equal(&alice.Credential) || !o.Key.Equal(ed25519.PublicKey(alice.Key.Public())) {
		t.Error("the link names somebody else")
	}
	other := pseudonym(t, alice, leafKey)
	for name, tc := range map[string]struct {
		change  func(c *wire.PseudonymousCredential)
		leafKey []byte
		key     LinkKey
		verify  Verifier
		want    error
	}{
		"another's leaf":      {nil, []byte("mallory's leaf key"), p.LinkKey, trust, ErrLinkSignature},
		"other link key":      {nil, leafKey, other.LinkKey, trust, ErrLink},
		"no link key":         {nil, leafKey, LinkKey{}, trust, ErrLink},
		"other client":        {func(c *wire.PseudonymousCredential) { c.Client[0]++ }, leafKey, p.LinkKey, trust, ErrLink},
		"other user":          {func(c *wire.PseudonymousCredential) { c.User[0]++ }, leafKey, p.LinkKey, trust, ErrLink},
		"other provider":      {func(c *wire.PseudonymousCredential) { c.Provider = "evil.example" }, leafKey, p.LinkKey, trust, ErrLinkSignature},
		"other user auth key": {func(c *wire.PseudonymousCredential) { c.UserAuthKey = bytes.Repeat([]byte{1}, 32) }, leafKey, p.LinkKey, trust, ErrLinkSignature},
		"cut link":            {func(c *wire.PseudonymousCredential) { c.IdentityLink = c.IdentityLink[:10] }, leafKey, p.LinkKey, trust, ErrLink},
		"unknown key":         {nil, leafKey, p.LinkKey, func(*mls.Credential, ed25519.PublicKey) bool { return false }, ErrUnverified},
	} {
		c := p.Credential
		if tc.change != nil {
			tc.change(&c)
		}
		if _, err := OpenLink(&c, tc.leafKey, tc.key, tc.verify); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestLinkLengthHidesTheName(t *testing.T) {
	short, long := pseudonym(t, person(t, "a"), []byte("k")), pseudonym(t, person(t, "a.much.longer.name@a.longer.provider.example"), []byte("k"))
	if len(short.Credential.IdentityLink) != len(long.Credential.IdentityLink) {
		t.Error("links of a short and a long name differ in length")
	}
}

func TestRelinkKeepsPseudonym(t *testing.T) {
	alice := person(t, "alice")
	p := pseudonym(t, alice, []byte("old"))
	before := p.Credential
	if err := alice.Relink(rand.Reader, p, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if p.Credential.Client != before.Client || p.Credential.User != before.User {
		t.Error("pseudonyms changed")
	}
	if _, err := OpenLink(&p.Credential, []byte("new"), p.LinkKey, trust); err != nil {
		t.Error(err)
	}
	if _, err := OpenLink(&p.Credential, []byte("old"), p.LinkKey, trust); !errors.Is(err, ErrLinkSignature) {
		t.Errorf("old leaf key: %v", err)
	}
}

func TestPinned(t *testing.T) {
	v := Pinned()
	alice, impostor, bob := person(t, "alice"), person(t, "alice"), person(t, "bob")
	if !v(&alice.Credential, alice.Key.Public()) || !v(&bob.Credential, bob.Key.Public()) || !v(&alice.Credential, alice.Key.Public()) {
		t.Error("an honest key is refused")
	}
	if v(&impostor.Credential, impostor.Key.Public()) {
		t.Error("a second key for one name is accepted")
	}
}

func links(n byte) map[wire.Pseudonym]LinkKey {
	return map[wire.Pseudonym]LinkKey{{n}: {Bytes: secret.Clone(bytes.Repeat([]byte{n}, LinkKeySize))}}
}

func rosterKey(n byte) secret.Bytes { return secret.New(bytes.Repeat([]byte{n}, wire.RosterKeySize)) }

func TestRosterKeepsTheFirstKeyOfAMember(t *testing.T) {
	r := NewRoster([]byte("group"), rosterKey(1))
	for _, key := range []byte{1, 2} {
		part, err := r.Add(rand.Reader, map[wire.Pseudonym]LinkKey{{7}: {Bytes: secret.New(bytes.Repeat([]byte{key}, LinkKeySize))}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Append(part); err != nil {
			t.Fatal(err)
		}
	}
	if k, err := r.LinkKey(wire.Pseudonym{7}); err != nil || k.Reveal()[0] != 1 {
		t.Errorf("a later part replaced a member's link key: %v", err)
	}
}

func TestWrappedLinkKeyIsForContactsAndOneClient(t *testing.T) {
	p := pseudonym(t, person(t, "alice"), []byte("leaf key"))
	sealed, err := Wrap(rand.Reader, rosterKey(3), p)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := Unwrap(rosterKey(3), p.Credential.Client, sealed); err != nil || !k.Equal(p.LinkKey.Bytes) {
		t.Errorf("contact: %v", err)
	}
	if _, err := Unwrap(rosterKey(4), p.Credential.Client, sealed); !errors.Is(err, ErrLink) {
		t.Errorf("stranger: %v", err)
	}
	if _, err := Unwrap(rosterKey(3), wire.Pseudonym{1}, sealed); !errors.Is(err, ErrLink) {
		t.Errorf("other client: %v", err)
	}
}

func TestRosterThroughAdditionsAndRemoval(t *testing.T) {
	group := []byte("group")
	r := NewRoster(group, rosterKey(1))
	var parts [][]byte
	for n := byte(1); n <= 3; n++ {
		part, err := r.Add(rand.Reader, links(n))
		if err != nil {
			t.Fatal(err)
		}
		if r.Len() != int(n)-1 {
			t.Fatal("Add changed the roster before the commit was accepted")
		}
		if err := r.Append(part); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
	}
	generation, key := r.Key()
	joined, err := OpenRoster(group, generation, key, parts)
	if err != nil || joined.Len() != 3 {
		t.Fatalf("newcomer reads %v, %v", joined, err)
	}
	if k, err := joined.LinkKey(wire.Pseudonym{2}); err != nil || !k.Equal(links(2)[wire.Pseudonym{2}].Bytes) {
		t.Errorf("link key of a member: %v", err)
	}

	next, part, err := r.Next(rand.Reader, rosterKey(2), []wire.Pseudonym{{2}}, links(4))
	if err != nil {
		t.Fatal(err)
	}
	if r.Len() != 3 {
		t.Error("Next changed the old roster")
	}
	if _, err := next.LinkKey(wire.Pseudonym{2}); !errors.Is(err, ErrNotInRoster) {
		t.Errorf("removed member: %v", err)
	}
	after, err := next.Add(rand.Reader, links(5))
	if err != nil {
		t.Fatal(err)
	}
	g, k := next.Key()
	if again, err := OpenRoster(group, g, k, [][]byte{part, after}); err != nil || again.Len() != 4 {
		t.Errorf("next generation: %v", err)
	}
	// INV-09: what the removed member knows opens nothing of the next generation.
	for _, p := range [][]byte{part, after} {
		if err := r.Append(p); !errors.Is(err, ErrRoster) {
			t.Errorf("former member's key: %v", err)
		}
	}
}

func TestRosterPartsStandWhereTheyBelong(t *testing.T) {
	r := NewRoster([]byte("group"), rosterKey(1))
	first, err := r.Add(rand.Reader, links(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Append(first); err != nil {
		t.Fatal(err)
	}
	second, err := r.Add(rand.Reader, links(2))
	if err != nil {
		t.Fatal(err)
	}
	generation, key := r.Key()
	for name, open := range map[string]func() (*Roster, error){
		"swapped":          func() (*Roster, error) { return OpenRoster([]byte("group"), generation, key, [][]byte{second, first}) },
		"one left out":     func() (*Roster, error) { return OpenRoster([]byte("group"), generation, key, [][]byte{second}) },
		"repeated":         func() (*Roster, error) { return OpenRoster([]byte("group"), generation, key, [][]byte{first, first}) },
		"other group":      func() (*Roster, error) { return OpenRoster([]byte("other"), generation, key, [][]byte{first}) },
		"other generation": func() (*Roster, error) { return OpenRoster([]byte("group"), generation+1, key, [][]byte{first}) },
		"cut":              func() (*Roster, error) { return OpenRoster([]byte("group"), generation, key, [][]byte{first[:30]}) },
		"longer": func() (*Roster, error) {
			return OpenRoster([]byte("group"), generation, key, [][]byte{append(first, 0)})
		},
	} {
		if _, err := open(); !errors.Is(err, ErrRoster) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range second {
		if err := r.Append(second[:n]); !errors.Is(err, ErrRoster) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	if r.Len() != 1 {
		t.Error("refused parts changed the roster")
	}
	if err := r.Append(second); err != nil {
		t.Error(err)
	}
}

// FuzzRosterPart: no part under the right key makes a roster that breaks.
func FuzzRosterPart(f *testing.F) {
	f.Add([]byte{0})
	f.Add(append([]byte{48}, bytes.Repeat([]byte{1}, 48)...))
	f.Fuzz(func(t *testing.T, plain []byte) {
		r := NewRoster([]byte("group"), rosterKey(1))
		part, err := seal.SealNonced(rand.Reader, r.key, plain, r.aad(0))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Append(part); err == nil && len(plain) == 0 {
			t.Error("an empty plaintext is a part")
		}
	})
}
