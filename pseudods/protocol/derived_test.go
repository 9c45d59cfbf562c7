package protocol

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// derived are values that follow from others.
func derived(t *testing.T) []object {
	reseed(t, "derived")
	key, group, nonce := octets("key", 32), octets("group", 32), octets("nonce", 16)
	domain, address, ds := []byte(home), octets("address", 16), octets("delivery secret", 32)
	pool, token, offer := octets("pool", 16), octets("contact token", 32), octets("offer", 300)
	out := []object{
		{{"what", "queue"}, {"owner_key", hexed(key)}},
		{{"what", "pool"}, {"pool_key", hexed(key)}},
	}
	for _, kem := range []wire.KEM{wire.X25519, wire.XWing} {
		out = append(out, object{{"what", "address_key"}, {"key", hexed(encoded(hpkeKey(kem, "address key").Public()))}})
	}
	out = append(out,
		object{{"what", "binding"}, {"nonce", hexed(nonce)}, {"group", hexed(group)}},
		object{{"what", "stream"}, {"address", hexed(address)}, {"domain", hexed(domain)}, {"binding", hexed(key)}},
		object{{"what", "stream"}, {"address", hexed(address)}, {"domain", ""}, {"binding", hexed(key)}},
		object{{"what", "contact"}, {"pool", hexed(pool)}, {"token", hexed(token)}},
		object{{"what", "offer"}, {"offer", hexed(offer)}},
	)
	alice, bob := newClient("alice", "alice", home), newClient("bob", "bob", away)
	card := cardOf(alice, *alice.seal(wire.AddressReusable, "card", seal.Use{}))
	out = append(out, object{{"what", "contact_card_tbs"}, {"card", hexed(encoded(card))}},
		object{{"what", "contact_tbs"}, {"to", hexed(encoded(card))}, {"contact", hexed(encoded(contactOf(bob, card)))}})
	m := frankedBy(alice, wire.GroupID(group))
	credential := must(alice.pseudonym.Credential.Credential())
	sender := must(wire.FrankedSender(&credential, alice.mls.Signer.Public()))
	tag := must(seal.TagOf(wire.GroupID(group), m.Epoch, &wire.FrankedContent{Key: m.Key, Content: m.Content}))
	out = append(out,
		object{{"what", "franking_tag"}, {"key", hexed(m.Key.Reveal())}, {"group", hexed(group)}, {"epoch", fmt.Sprint(m.Epoch)}, {"content", hexed(m.Content)}},
		object{{"what", "franked_sender"}, {"credential", hexed(encoded(&credential))}, {"signature_key", hexed(alice.mls.Signer.Public())}},
		object{{"what", "frank_key"}, {"public_key", hexed(signer("service").Public())}},
		object{{"what", "frank_tbs"}, {"domain", hexed(domain)}, {"group", hexed(group)}, {"sender", hexed(sender[:])}, {"epoch", fmt.Sprint(m.Epoch)},
			{"day", fmt.Sprint(m.Frank.Day)}, {"tag", hexed(tag[:])}})
	for _, sequence := range []string{"0", "1", "281474976710663"} {
		out = append(out, object{{"what", "number"}, {"secret", hexed(ds)}, {"sequence", sequence}})
	}
	for _, n := range []int{0, 1, 252, 253, 256, 257, 1000, 65531, 65533, 1 << 20} {
		out = append(out, object{{"what", "padded_size"}, {"octets", n}})
	}
	for _, label := range []string{wire.GroupStateKeyLabel, wire.RosterKeyLabel} {
		out = append(out, object{{"what", "exported"}, {"cipher_suite", 1}, {"exporter_secret", hexed(octets("exporter", 32))}, {"label", label}, {"group", hexed(group)}})
	}
	return out
}

// derive returns what follows in the code.
func derive(t *testing.T, v object) string {
	o := func(name string) []byte { return v.octets(t, name) }
	n := func(name string, size int) uint64 {
		value, _ := v.get(name)
		return must(numeric(&definition{kind: number, size: size}, value))
	}
	switch what := v.text("what"); what {
	case "queue":
		id := wire.QueueIDOf(o("owner_key"))
		return hexed(id[:])
	case "pool":
		id := wire.PoolIDOf(o("pool_key"))
		return hexed(id[:])
	case "address_key":
		k := o("key")
		id := (&wire.HPKEKey{KEM: wire.KEM(uintOf(k[:2])), Public: k[2:]}).ID()
		return hexed(id[:])
	case "binding":
		b := seal.Binding(o("group"), [16]byte(o("nonce")))
		return hexed(b[:])
	case "stream":
		id := seal.StreamOf(wire.AddressID(o("address")), seal.Use{Domain: string(o("domain")), Binding: [32]byte(o("binding"))})
		return hexed(id[:])
	case "contact":
		h := (&wire.ContactToken{Bytes: secret.New(o("token"))}).Hash(wire.PoolID(o("pool")))
		return hexed(h[:])
	case "offer":
		return hexed(seal.OfferHash(o("offer")))
	case "contact_card_tbs":
		var card wire.ContactCard
		check(mls.Unmarshal(o("card"), &card))
		return hexed(must(card.TBS()))
	case "contact_tbs":
		var card wire.ContactCard
		var contact wire.Contact
		check(mls.Unmarshal(o("to"), &card))
		check(mls.Unmarshal(o("contact"), &contact))
		return hexed(must(contact.TBS(&card)))
	case "franking_tag":
		tag := must(seal.TagOf(wire.GroupID(o("group")), n("epoch", 8), &wire.FrankedContent{Key: secret.New(o("key")), Content: o("content")}))
		return hexed(tag[:])
	case "franked_sender":
		var c mls.Credential
		check(mls.Unmarshal(o("credential"), &c))
		sender := must(wire.FrankedSender(&c, o("signature_key")))
		return hexed(sender[:])
	case "frank_key":
		id := wire.FrankKeyIDOf(o("public_key"))
		return hexed(id[:])
	case "frank_tbs":
		f := &seal.Franked{Domain: string(o("domain")), Group: wire.GroupID(o("group")), Sender: [32]byte(o("sender")), Epoch: n("epoch", 8), Tag: wire.FrankingTag(o("tag"))}
		return hexed(must(f.TBS(n("day", 8))))
	case "number":
		return fmt.Sprint(seal.Number(seal.DeliverySecret{Bytes: secret.New(o("secret"))}, n("sequence", 8)))
	case "padded_size":
		return fmt.Sprint(seal.PaddedSize(int(n("octets", 4))))
	case "exported":
		return hexed(must(suite().Export(secret.New(o("exporter_secret")), v.text("label"), o("group"), 32)).Reveal())
	default:
		t.Fatalf("nothing derives %q", what)
		return ""
	}
}

// TestCards: the cards of the examples are what package account takes.
func TestCards(t *testing.T) {
	reseed(t, "cards")
	l := readLanguage(t)
	alice := newClient("alice", "alice", home)
	card := cardOf(alice, *alice.seal(wire.AddressReusable, "card", seal.Use{}))
	again, err := account.ParseCard("pseudods-card:" + base64.RawURLEncoding.EncodeToString(encoded(card)))
	if err != nil {
		t.Fatal(err)
	}
	name, key, err := account.CardName(again)
	if err != nil {
		t.Fatal(err)
	}
	fields, _, err := l.decode("CardIdentity", card.Identity)
	if err != nil || fields.(object).text("name") != hexed([]byte(name)) || fields.(object).text("key") != hexed(key) {
		t.Errorf("the document reads another identity: %v, %v", fields, err)
	}
}

func TestDerived(t *testing.T) {
	var vectors []object
	for _, v := range derived(t) {
		vectors = append(vectors, append(v, member{"value", derive(t, v)}))
	}
	for _, v := range sameFile(t, "pseudods/wire/testdata/derived.json", vectors) {
		if got := derive(t, v); got != v.text("value") {
			t.Errorf("%s: %s, want %s", v.text("what"), got, v.text("value"))
		}
	}
}
