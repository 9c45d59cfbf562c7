package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func hexOctets(s string) ([]byte, error) { return hex.DecodeString(s) }

// unsealed opens what package identity sealed, as the document says.
func unsealed(key, sealed, aad []byte) ([]byte, error) {
	aead := must(chacha20poly1305.NewX(key))
	return aead.Open(nil, sealed[:24], sealed[24:], aad)
}

func sealedUnder(name string, key, aad, content []byte) []byte {
	aead := must(chacha20poly1305.NewX(key))
	nonce := octets(name, 24)
	return aead.Seal(nonce, nonce, content, aad)
}

const linkLabel = "pseudods 1.0 IdentityLink"

func linkAAD(c *wire.PseudonymousCredential) []byte {
	return append(append([]byte(linkLabel), c.Client[:]...), c.User[:]...)
}

// linkTBS is IdentityLinkTBS by the document.
func linkTBS(l language, c *wire.PseudonymousCredential, leafKey []byte) []byte {
	return must(l.encode("IdentityLinkTBS", object{{"client", hexed(c.Client[:])}, {"user", hexed(c.User[:])}, {"provider", hexed([]byte(c.Provider))},
		{"user_auth_key", hexed(c.UserAuthKey)}, {"leaf_key", hexed(leafKey)}}))
}

// links are vectors of identity links, sealed link keys and roster parts.
func links(t *testing.T, l language) []object {
	reseed(t, "links")
	alice, bob := newClient("alice", "alice", home), newClient("bob", "bob", away)
	var out []object
	add := func(name, kind string, with object, sealed []byte, of string, content []byte) {
		v := append(object{{"name", name}, {"kind", kind}}, with...)
		v = append(v, member{"sealed", hexed(sealed)})
		if of == "" {
			out = append(out, append(v, member{"content", nil}))
			return
		}
		out = append(out, append(v, member{"content", l.vector(t, of, content)}))
	}
	c := &alice.pseudonym.Credential
	link := func(c *wire.PseudonymousCredential, leafKey []byte, key identity.LinkKey) object {
		return object{{"credential", l.vector(t, "PseudonymousCredential", encoded(c))}, {"leaf_key", hexed(leafKey)}, {"link_key", hexed(key.Reveal())},
			{"to_be_signed", hexed(linkTBS(l, c, leafKey))}}
	}
	own := alice.mls.Signer.Public()
	content := must(unsealed(alice.pseudonym.LinkKey.Reveal(), c.IdentityLink, linkAAD(c)))
	add("identity link", "identity_link", link(c, own, alice.pseudonym.LinkKey), c.IdentityLink, "IdentityLinkContent", content)
	add("identity link of another's leaf", "identity_link", link(c, bob.mls.Signer.Public(), alice.pseudonym.LinkKey), c.IdentityLink, "", nil)
	add("identity link under another key", "identity_link", link(c, own, bob.pseudonym.LinkKey), c.IdentityLink, "", nil)
	padded := *c
	padded.IdentityLink = sealedUnder("padding", alice.pseudonym.LinkKey.Reveal(), linkAAD(c), append(bytes.Clone(content), append(make([]byte, 255), 1)...))
	add("identity link with padding that is not zero", "identity_link", link(&padded, own, alice.pseudonym.LinkKey), padded.IdentityLink, "", nil)

	wrap := secretOf("alice's link wrap")
	wrapped := must(identity.Wrap(seeded("wrapped"), wrap, alice.pseudonym))
	of := func(client wire.Pseudonym) object {
		return object{{"link_wrap", hexed(wrap.Reveal())}, {"client", hexed(client[:])}, {"link_key", hexed(alice.pseudonym.LinkKey.Reveal())}}
	}
	add("sealed link key", "sealed_link_key", of(c.Client), wrapped[:], "LinkKey", alice.pseudonym.LinkKey.Reveal())
	add("sealed link key of another client", "sealed_link_key", of(bob.pseudonym.Credential.Client), wrapped[:], "", nil)

	group := octets("group", 32)
	key := secretOf("roster key")
	r := identity.NewRoster(group, key)
	part := func(name string, generation uint64, n uint32, key secret.Bytes, sealed []byte, opens bool) {
		aad := must(l.encode("RosterContext", object{{"label", hexed([]byte("pseudods 1.0 Roster"))}, {"group", hexed(group)}, {"generation", generation}, {"part", n}}))
		with := object{{"roster_key", hexed(key.Reveal())}, {"context", l.vector(t, "RosterContext", aad)}}
		plain, err := unsealed(key.Reveal(), sealed, aad)
		if !opens {
			if err == nil && r.Append(sealed) == nil {
				t.Errorf("%s opens", name)
			}
			add(name, "roster_part", with, sealed, "", nil)
			return
		}
		check(err)
		add(name, "roster_part", with, sealed, "RosterContent", plain)
	}
	first := must(r.Add(seeded("part 0"), linksOf(alice, bob)))
	check(r.Append(first))
	part("roster part", 0, 0, key, first, true)
	carol := newClient("carol", "carol", home)
	second := must(r.Add(seeded("part 1"), linksOf(carol)))
	check(r.Append(second))
	part("second roster part", 0, 1, key, second, true)
	part("roster part in the place of another", 0, 0, key, second, false)
	next, after, err := r.Next(seeded("next generation"), secretOf("next roster key"), []wire.Pseudonym{bob.pseudonym.Credential.Client}, nil)
	check(err)
	_, nextKey := next.Key()
	part("roster part of the next generation", 1, 0, nextKey, after, true)
	part("roster part under a former key", 1, 0, key, after, false)
	unordered := append(linkRow(bob), linkRow(alice)...)
	if bytes.Compare(c.Client[:], bob.pseudonym.Credential.Client[:]) > 0 {
		unordered = append(linkRow(alice), linkRow(bob)...)
	}
	aad := must(l.encode("RosterContext", object{{"label", hexed([]byte("pseudods 1.0 Roster"))}, {"group", hexed(group)}, {"generation", 0}, {"part", 2}}))
	part("roster part out of order", 0, 2, key, sealedUnder("unordered", key.Reveal(), aad, append(header(len(unordered)), unordered...)), false)
	return out
}

func linkRow(c *client) []byte {
	return append(bytes.Clone(c.pseudonym.Credential.Client[:]), c.pseudonym.LinkKey.Reveal()...)
}

func TestLinks(t *testing.T) {
	l := readLanguage(t)
	for _, v := range sameFile(t, "client/identity/testdata/links.json", links(t, l)) {
		t.Run(v.text("name"), func(t *testing.T) {
			part := func(name string) object { p, _ := v.get(name); o, _ := p.(object); return o }
			content := part("content")
			var err error
			switch v.text("kind") {
			case "identity_link":
				var c wire.PseudonymousCredential
				check(mls.Unmarshal(part("credential").octets(t, "encoded"), &c))
				var o *identity.Opened
				o, err = identity.OpenLink(&c, v.octets(t, "leaf_key"), identity.LinkKey{Bytes: secret.New(v.octets(t, "link_key"))},
					func(*mls.Credential, ed25519.PublicKey) bool { return true })
				if err == nil {
					checkLink(t, content, o, v.octets(t, "to_be_signed"))
				}
			case "sealed_link_key":
				var k identity.LinkKey
				k, err = identity.Unwrap(secret.New(v.octets(t, "link_wrap")), wire.Pseudonym(v.octets(t, "client")), (*wire.SealedLinkKey)(v.octets(t, "sealed")))
				if err == nil && hexed(k.Reveal()) != content.text("encoded") {
					t.Error("another link key")
				}
			case "roster_part":
				// That parts open in their places alone is checked as they are made; here, that they hold what they say.
				var plain []byte
				plain, err = unsealed(v.octets(t, "roster_key"), v.octets(t, "sealed"), part("context").octets(t, "encoded"))
				if err == nil && content != nil && hexed(plain) != content.text("encoded") {
					t.Error("another content")
				}
				if content == nil {
					return
				}
			}
			if (err == nil) != (content != nil) {
				t.Errorf("opening gives %v", err)
			}
		})
	}
}

// checkLink checks that a link's content is what the code read, and its
// signature over what the document says.
func checkLink(t *testing.T, content object, o *identity.Opened, tbs []byte) {
	t.Helper()
	if content == nil {
		return
	}
	f, _ := content.get("fields")
	fields := f.(object)
	if hexed(o.Credential.Identity) != fields.text("identity") || hexed(o.Key) != fields.text("key") {
		t.Error("the document reads another identity")
	}
	if err := suite().VerifyWithLabel(fields.octets(t, "key"), linkLabel, tbs, fields.octets(t, "signature")); err != nil {
		t.Error(err)
	}
}
