package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// A vector of something sealed has its kind, what it opens with, what is sealed,
// and the content as a value of the document, or null if it does not open.

func keyFields(k *seal.PrivateKey) object {
	kem := "x25519"
	if k.Public().KEM == wire.XWing {
		kem = "x_wing"
	}
	return object{{"kem", kem}, {"private", hexed(must(k.Marshal()).Reveal())}, {"public", hexed(k.Public().Public)}}
}

// sealing makes vectors.
type sealing struct {
	t *testing.T
	l language
	// alice has the queue, and the group is hers.
	alice   *client
	group   wire.GroupID
	vectors []object
}

func (s *sealing) add(name, kind string, with object, sealed []byte, of string, content []byte) {
	v := append(object{{"name", name}, {"kind", kind}}, with...)
	v = append(v, member{"sealed", hexed(sealed)})
	if of == "" {
		s.vectors = append(s.vectors, append(v, member{"content", nil}))
		return
	}
	s.vectors = append(s.vectors, append(v, member{"content", s.l.vector(s.t, of, content)}))
}

// change returns sealed octets with one bit of the last octet changed.
func change(sealed []byte) []byte {
	out := bytes.Clone(sealed)
	out[len(out)-1] ^= 1
	return out
}

func sealings(t *testing.T, l language) []object {
	reseed(t, "sealed")
	s := &sealing{t: t, l: l, alice: newClient("alice", "alice", home), group: wire.GroupID(octets("group", 32))}
	s.addresses()
	s.entries()
	s.payloads()
	s.segments()
	s.boxes()
	s.offers()
	return s.vectors
}

func (s *sealing) addresses() {
	nonce := [16]byte(octets("nonce of an address", 16))
	use := seal.Use{Domain: home, Binding: seal.Binding(s.group[:], nonce)}
	other := wire.GroupID(octets("other group", 32))
	elsewhere := seal.Use{Domain: home, Binding: seal.Binding(other[:], nonce)}
	content := append(append([]byte{}, octets("queue", 16)...), octets("address", 16)...)
	queue, address := wire.QueueID(content[:16]), wire.AddressID(content[16:])
	for _, tc := range []struct {
		name string
		kem  wire.KEM
		kind wire.AddressKind
		use  seal.Use // to open with
		bad  bool
	}{
		{"address", wire.X25519, wire.AddressBound, use, false},
		{"address of a KeyPackage", wire.X25519, wire.AddressOneTime, seal.Use{}, false},
		{"address of a card", wire.X25519, wire.AddressReusable, seal.Use{}, false},
		{"address under X-Wing", wire.XWing, wire.AddressBound, use, false},
		{"address in another group", wire.X25519, wire.AddressBound, elsewhere, true},
		{"address at another service", wire.X25519, wire.AddressBound, seal.Use{Domain: away, Binding: use.Binding}, true},
	} {
		key := hpkeKey(tc.kem, "address key of "+fmt.Sprint(tc.kem))
		sealed := encoded(must(seal.SealAddress(key.Public(), tc.kind, queue, address, use)))
		context := []byte{byte(tc.kind)}
		if tc.kind == wire.AddressBound {
			context = append(append(append(context, byte(len(tc.use.Domain))), tc.use.Domain...), tc.use.Binding[:]...)
		}
		of := "AddressContent"
		if tc.bad {
			of = ""
		}
		s.add(tc.name, "address", object{{"key", keyFields(key)}, {"context", s.l.vector(s.t, "AddressContext", context)}}, sealed, of, content)
	}
}

func entryContent(e *seal.Entry) []byte {
	n := e.Sequence
	return append(bytes.Clone(e.PayloadKey.Reveal()), byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func (s *sealing) entries() {
	e := &seal.Entry{PayloadKey: secretOf("payload key"), Sequence: 1<<48 + 7}
	ds := seal.DeliverySecret{Bytes: secretOf("delivery secret")}
	sealed := must(seal.SealEntry(seeded("salt"), ds, e))
	with := object{{"delivery_secret", hexed(ds.Reveal())}}
	s.add("entry", "entry", with, sealed[:], "EntryContent", entryContent(e))
	s.add("entry that was changed", "entry", with, change(sealed[:]), "", nil)
	s.add("entry for somebody else", "entry", object{{"delivery_secret", hexed(octets("other secret", 32))}}, sealed[:], "", nil)

	sealed = must(seal.SealWelcomeEntry(s.alice.address.WelcomeKey, e))
	s.add("welcome entry", "welcome_entry", object{{"key", keyFields(s.alice.welcome)}}, sealed[:], "EntryContent", entryContent(e))
	s.add("welcome entry for somebody else", "welcome_entry", object{{"key", keyFields(hpkeKey(wire.X25519, "other"))}}, sealed[:], "", nil)
}

func (s *sealing) payloads() {
	for _, size := range []int{20, 300, 2100} {
		f := encoded(&wire.Fanout{Kind: wire.FanoutApplication, Domain: home, Group: s.group, Message: octets("message", size)})
		sealed, key, err := seal.SealPayload(seeded("payload"), f)
		check(err)
		with := object{{"payload_key", hexed(key.Reveal())}}
		s.add(fmt.Sprintf("payload of %d octets", len(f)), "payload", with, sealed, "Fanout", f)
		if size == 20 {
			s.add("payload that was changed", "payload", with, change(sealed), "", nil)
		}
	}
}

func (s *sealing) segments() {
	queue := s.alice.queue()
	ticket := &wire.Ticket{Payload: wire.PayloadID(octets("payload", 16)), MAC: [16]byte(octets("ticket", 16))}
	entry := [wire.EntrySize]byte(octets("entry", wire.EntrySize))
	items := []*wire.Item{
		{Kind: wire.ItemDelivery, Address: s.alice.addressID("own"), Stream: s.alice.addressID("own"), Entry: entry, Inline: octets("payload", 272)},
		{Kind: wire.ItemDelivery, Address: s.alice.addressID("own"), Stream: s.alice.addressID("own"), Entry: entry, Ticket: ticket},
	}
	for _, kem := range []wire.KEM{wire.X25519, wire.XWing} {
		key := hpkeKey(kem, "segment key")
		begun, output, err := seal.NewSegment(key.Public(), queue)
		check(err)
		segment, name := begun.Segment(), "segment"
		if kem == wire.XWing {
			name = "segment under X-Wing"
		}
		for counter, item := range items {
			sealed := must(segment.Seal(uint32(counter), item))
			with := func(q wire.QueueID, counter int) object {
				return object{{"key", keyFields(key)}, {"queue", hexed(q[:])}, {"kem_output", hexed(output)}, {"counter", counter}}
			}
			s.add([]string{name, name + ", second entry"}[counter], "segment", with(queue, counter), sealed, "Item", encoded(item))
			if counter == 0 && kem == wire.X25519 {
				s.add("segment with another counter", "segment", with(queue, 9), sealed, "", nil)
				s.add("segment of another queue", "segment", with(wire.QueueID{1}, counter), sealed, "", nil)
			}
		}
	}
}

func (s *sealing) boxes() {
	other := wire.GroupID(octets("other group", 32))
	info := &wire.JoinInfo{GroupStateKey: secretOf("group state key"), DeliverySecret: s.alice.secret, RosterGeneration: 3, RosterKey: secretOf("roster key")}
	sealed := must(seal.SealJoinInfo(s.alice.address.WelcomeKey, s.group, info))
	with := func(k *seal.PrivateKey, g wire.GroupID) object {
		return object{{"key", keyFields(k)}, {"group", hexed(g[:])}}
	}
	s.add("join info", "join_info", with(s.alice.welcome, s.group), sealed, "JoinInfo", encoded(info))
	s.add("join info for another group", "join_info", with(s.alice.welcome, other), sealed, "", nil)

	key := hpkeKey(wire.X25519, "access key")
	grant := &wire.AccessGrant{Epoch: 12, GroupStateKey: secretOf("group state key")}
	sealed = must(seal.SealAccess([32]byte(key.Public().Public), s.group, grant))
	s.add("access grant", "access_grant", with(key, s.group), sealed, "AccessGrant", encoded(grant))
	s.add("access grant for another group", "access_grant", with(key, other), sealed, "", nil)
	s.add("access grant as join info", "join_info", with(key, s.group), sealed, "", nil)
}

func (s *sealing) offers() {
	card := cardOf(s.alice, *s.alice.seal(wire.AddressReusable, "card", seal.Use{}))
	bob := newClient("bob", "bob", away)
	for _, kem := range []wire.KEM{wire.X25519, wire.XWing} {
		key := hpkeKey(kem, "alice's offer key")
		card.OfferKey = *key.Public()
		contact := contactOf(bob, card)
		sealed := must(seal.SealOffer(card, contact))
		name := "offer"
		if kem == wire.XWing {
			name = "offer under X-Wing"
		}
		with := func(a wire.SealedAddress) object {
			return object{{"key", keyFields(key)}, {"address", hexed(encoded(&a))}}
		}
		s.add(name, "offer", with(card.Address), sealed, "Contact", encoded(contact))
		if kem == wire.X25519 {
			s.add("offer to another card", "offer", with(*s.alice.seal(wire.AddressReusable, "other card", seal.Use{})), sealed, "", nil)
		}
	}
}

// open opens a vector with the code and returns the encoded content.
func open(t *testing.T, v object) ([]byte, error) {
	part := func(name string) object { p, _ := v.get(name); o, _ := p.(object); return o }
	sealed := v.octets(t, "sealed")
	key := func() *seal.PrivateKey {
		k := part("key")
		kem := map[string]wire.KEM{"x25519": wire.X25519, "x_wing": wire.XWing}[k.text("kem")]
		private := must(seal.ParseKey(kem, secret.New(k.octets(t, "private"))))
		if !bytes.Equal(private.Public().Public, k.octets(t, "public")) {
			t.Error("public key is not the private one's")
		}
		return private
	}
	content := func(m mls.Marshaler, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return encoded(m), nil
	}
	entry := func(e *seal.Entry, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return entryContent(e), nil
	}
	group := func() wire.GroupID { return wire.GroupID(v.octets(t, "group")) }
	switch kind := v.text("kind"); kind {
	case "address":
		var a wire.SealedAddress
		check(mls.Unmarshal(sealed, &a))
		var use seal.Use
		if c := part("context").octets(t, "encoded"); a.Kind == wire.AddressBound {
			n := int(c[1])
			use = seal.Use{Domain: string(c[2 : 2+n]), Binding: [32]byte(c[2+n:])}
		}
		queue, address, err := seal.OpenAddress(key(), &a, use)
		return append(queue[:], address[:]...), err
	case "entry":
		return entry(seal.OpenEntry(seal.DeliverySecret{Bytes: secret.New(v.octets(t, "delivery_secret"))}, (*[wire.EntrySize]byte)(sealed)))
	case "welcome_entry":
		return entry(seal.OpenWelcomeEntry(key(), (*[wire.EntrySize]byte)(sealed)))
	case "payload":
		return seal.OpenPayload(secret.New(v.octets(t, "payload_key")), sealed)
	case "segment":
		s, err := seal.OpenSegment(key(), wire.QueueID(v.octets(t, "queue")), v.octets(t, "kem_output"))
		if err != nil {
			return nil, err
		}
		counter, _ := v.get("counter")
		n := must(numeric(&definition{kind: number, size: 4}, counter))
		return content(s.Open(&wire.QueueEntry{Counter: uint32(n), Ciphertext: sealed}))
	case "join_info":
		return content(seal.OpenJoinInfo(key(), group(), sealed))
	case "access_grant":
		return content(seal.OpenAccess(key(), group(), sealed))
	case "offer":
		var card wire.ContactCard
		check(mls.Unmarshal(v.octets(t, "address"), &card.Address))
		return content(seal.OpenOffer(key(), &card, sealed))
	default:
		t.Fatalf("kind %q", kind)
		return nil, nil
	}
}

func TestSealed(t *testing.T) {
	l := readLanguage(t)
	for _, v := range sameFile(t, "pseudods/seal/testdata/sealed.json", sealings(t, l)) {
		t.Run(v.text("name"), func(t *testing.T) {
			got, err := open(t, v)
			c, _ := v.get("content")
			if c == nil {
				if !errors.Is(err, seal.ErrOpen) {
					t.Errorf("opens: %v", err)
				}
				return
			}
			want := c.(object)
			if err != nil || !bytes.Equal(got, want.octets(t, "encoded")) {
				t.Errorf("opens as %x, %v", got, err)
			}
			fields, _ := want.get("fields")
			if again, err := l.encode(want.text("type"), fields); err != nil || !bytes.Equal(again, got) {
				t.Errorf("the document encodes the content as %x, %v", again, err)
			}
		})
	}
}

// sealed shows a vector: what it opens with, what is sealed, and the content.
func (m *made) sealed(name string) string {
	vectors := slices.Concat(sealings(m.t, m.l), links(m.t, m.l))
	i := slices.IndexFunc(vectors, func(v object) bool { return v.text("name") == name })
	if i < 0 {
		m.t.Fatalf("nothing sealed is named %q", name)
	}
	var b strings.Builder
	m.lines(&b, "", vectors[i])
	return b.String()
}

func (m *made) lines(b *strings.Builder, before string, o object) {
	for _, f := range o {
		switch v := f.value.(type) {
		case string:
			if octets, err := hexOctets(v); err == nil && len(octets) > 2 {
				v = short(octets)
				if len(octets) > 16 {
					v = fmt.Sprintf("%s (%d octets)", v, len(octets))
				}
			}
			if f.name != "name" && f.name != "kind" && f.name != "kem" {
				fmt.Fprintf(b, "%-24s %s\n", before+f.name, v)
			}
		case object:
			if of := v.text("type"); of != "" {
				fmt.Fprintf(b, "%s%s, %s:\n", before, f.name, of)
				for line := range strings.Lines(m.annotated(of, v.octets(m.t, "encoded"))) {
					b.WriteString("  " + line)
				}
				continue
			}
			m.lines(b, f.name+".", v)
		default:
			fmt.Fprintf(b, "%-24s %v\n", before+f.name, v)
		}
	}
}
