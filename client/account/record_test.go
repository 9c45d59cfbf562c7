package account

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

type record interface {
	mls.Marshaler
	mls.Unmarshaler
}

// samples are records with every field in use, and how to make empty ones.
func samples(t testing.TB) map[string]struct {
	value record
	empty func() record
} {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	cfg := Config{Suite: mls.P256AES128GCM, SegmentKEM: wire.XWing, KeyPackages: 1, Now: time.Now, Rand: rand.Reader}
	st, err := newStatic(&cfg, "alice", "home.example")
	must(err)
	suite, err := cfg.Suite.Suite()
	must(err)
	a := &Account{cfg: cfg, suite: suite, static: st}
	p, err := a.NewPersona(nil)
	must(err)
	var kept collector
	_, err = group.NewKeyPackage(group.Config{KeyPackages: &kept}, a.Client(p), group.KeyPackageOptions{})
	must(err)
	welcomeKey, err := seal.GenerateKey(wire.X25519)
	must(err)
	octets := func(n byte) secret.Bytes { return secret.New(bytes.Repeat([]byte{n}, 32)) }
	token := func(n byte) wire.ContactToken { return wire.ContactToken{Bytes: octets(n)} }
	card := wire.ContactCard{Domain: "home.example", Address: wire.SealedAddress{Kind: wire.AddressReusable, KEMOutput: []byte{1},
		Ciphertext: make([]byte, wire.AddressCiphertextSize)}, OfferKey: *welcomeKey.Public(), Pools: []wire.PoolID{{1}}, Identity: []byte("x"), Signature: []byte("y")}
	key := ed25519.PublicKey(bytes.Repeat([]byte{8}, ed25519.PublicKeySize))
	poolKey := st.poolKeys[0]
	items := []deviceItem{{kind: itemHello, name: "phone", secret: octets(1)}, {kind: itemHello, name: "phone"},
		{kind: itemPeer, id: DeviceID{2}, name: "tablet", card: &card, quiet: true}, {kind: itemForget, id: DeviceID{3}},
		(&contact{name: "bob", key: key, state: ContactAccepted, card: card, theirs: grant{1, []byte{2}, token(3), nil, octets(5)}}).shared(),
		{kind: itemNote, body: []byte("note")}}
	return map[string]struct {
		value record
		empty func() record
	}{
		"static":  {st, func() record { return new(static) }},
		"status":  {&status{true, [2]uint64{1, 2}, [2]bool{true, false}, []ownCard{{wire.AddressID{1}, 2, 3, card}}}, func() record { return new(status) }},
		"cursor":  {&cursor{7}, func() record { return new(cursor) }},
		"persona": {p, func() record { return new(Persona) }},
		"address": {&address{wire.AddressID{1}, "ds.example", wire.GroupID{2}, seal.DeliverySecret{Bytes: octets(3)}, 4, 5}, func() record { return new(address) }},
		"key set": {&keySet{pool: wire.PoolGroup, batch: 3, keys: []*ownKeyPackage{{keys: kept.keys, persona: *p, welcomeKey: welcomeKey,
			address: wire.AddressID{1}, made: 2, until: 3}}}, func() record { return new(keySet) }},
		"contact": {&contact{"bob", key, ContactAccepted, []byte("hello"), card, grant{1, []byte{2}, token(3), []wire.PoolID{{4}}, octets(5)},
			token(6), true, []wire.ContactToken{token(7)}, []byte{8}, true, 9}, func() record { return new(contact) }},
		"former": {&former{key, true, []wire.ContactToken{token(1)}}, func() record { return new(former) }},
		"self":   {&self{poolKey, "desk", []openLink{{octets(1), 2, DeviceID{3}}}}, func() record { return new(self) }},
		"device": {&device{id: DeviceID{1}, name: "phone", card: card, quiet: true, introduce: true, sent: 2, received: 3, outbox: items,
			inbox: []Note{{DeviceID{1}, 4, []byte("note")}}}, func() record { return new(device) }},
		"device message": {&deviceMessage{from: DeviceID{1}, to: DeviceID{2}, first: 3, items: items, signature: []byte{4}}, func() record { return new(deviceMessage) }},
		"link":           {&Link{key: poolKey, device: DeviceID{1}, name: "desk", card: card, secret: octets(2)}, func() record { return new(Link) }},
		"card identity":  {&cardIdentity{mls.BasicCredential([]byte("bob")), key}, func() record { return new(cardIdentity) }},
	}
}

func TestRecords(t *testing.T) {
	for name, s := range samples(t) {
		data, err := mls.Marshal(s.value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again := s.empty()
		if err := mls.Unmarshal(data, again); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b, err := mls.Marshal(again); err != nil || !bytes.Equal(b, data) {
			t.Errorf("%s: changes on the way, %v", name, err)
		}
		step := 1 + len(data)/500 // some are long
		for n := 0; n < len(data); n += step {
			if err := mls.Unmarshal(data[:n], s.empty()); !errors.Is(err, mls.ErrMalformed) {
				t.Fatalf("%s: prefix of %d octets: %v", name, n, err)
			}
		}
		for _, more := range [][]byte{data[:len(data)-1], append(data[:len(data):len(data)], 0)} {
			if err := mls.Unmarshal(more, s.empty()); !errors.Is(err, mls.ErrMalformed) {
				t.Errorf("%s: %d octets of %d: %v", name, len(more), len(data), err)
			}
		}
	}
}

// TestRecordsThatAreRefused have values that no account writes.
func TestRecordsThatAreRefused(t *testing.T) {
	for name, r := range map[string]mls.Marshaler{
		"persona without keys": new(Persona),
		"former without key":   &former{key: make([]byte, 31)},
	} {
		data, err := mls.Marshal(r)
		if name == "persona without keys" {
			if !errors.Is(err, mls.ErrEncode) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil && mls.Unmarshal(data, new(former)) == nil {
			t.Errorf("%s was read", name)
		}
	}
	all := samples(t)
	c := *all["contact"].value.(*contact)
	for name, change := range map[string]func(*contact){
		"state":  func(c *contact) { c.state = 9 },
		"name":   func(c *contact) { c.name = "" },
		"token":  func(c *contact) { c.token = wire.ContactToken{Bytes: secret.New([]byte{1})} },
		"revoke": func(c *contact) { c.revoke = []wire.ContactToken{{}} },
	} {
		bad := c
		change(&bad)
		data, err := mls.Marshal(&bad)
		if err != nil {
			t.Fatal(err)
		}
		if err := mls.Unmarshal(data, new(contact)); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := *all["address"].value.(*address)
	d.secret = seal.DeliverySecret{}
	data, err := mls.Marshal(&d)
	if err != nil {
		t.Fatal(err)
	}
	if err := mls.Unmarshal(data, new(address)); !errors.Is(err, mls.ErrMalformed) {
		t.Errorf("address without secret: %v", err)
	}
}

// TestDeviceMessagesThatAreRefused have values that no device sends.
func TestDeviceMessagesThatAreRefused(t *testing.T) {
	m := *samples(t)["device message"].value.(*deviceMessage)
	for name, change := range map[string]func(*deviceMessage){
		"no items":     func(m *deviceMessage) { m.items = nil },
		"number 0":     func(m *deviceMessage) { m.first = 0 },
		"last numbers": func(m *deviceMessage) { m.first = 1<<64 - 1 },
		"no name":      func(m *deviceMessage) { m.items = []deviceItem{{kind: itemHello}} },
		"long note":    func(m *deviceMessage) { m.items = []deviceItem{{kind: itemNote, body: make([]byte, MaxNote+1)}} },
	} {
		bad := m
		change(&bad)
		data, err := mls.Marshal(&bad)
		if err != nil {
			t.Fatal(err)
		}
		if err := mls.Unmarshal(data, new(deviceMessage)); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := parseDeviceMessage(data); !errors.Is(err, ErrOffer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	key, other := samples(t)["self"].value.(*self).key, samples(t)["self"].value.(*self).key
	m.from = DeviceID(key.Public())
	good, err := m.sign(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseDeviceMessage(good); err != nil {
		t.Error(err)
	}
	forged, err := m.sign(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseDeviceMessage(forged); !errors.Is(err, ErrOffer) {
		t.Errorf("signed by another: %v", err)
	}
}

// FuzzRecords: what decodes encodes to the same octets.
func FuzzRecords(f *testing.F) {
	all := samples(f)
	names := []string{"static", "status", "cursor", "persona", "address", "key set", "contact", "former", "card identity", "self", "device", "device message", "link"}
	for i, name := range names {
		data, err := mls.Marshal(all[name].value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), data)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		v := all[names[int(which)%len(names)]].empty()
		if mls.Unmarshal(data, v) != nil {
			return
		}
		if out, err := mls.Marshal(v); err != nil || !bytes.Equal(out, data) {
			t.Fatalf("%x encodes as %x, %v", data, out, err)
		}
	})
}

// FuzzCard: whatever somebody hands over as a card ends in a typed error.
func FuzzCard(f *testing.F) {
	f.Add("pseudods-card:AAEMaG9tZS5leGFtcGxl")
	f.Add("pseudods-card:")
	f.Fuzz(func(t *testing.T, text string) {
		card, err := ParseCard(text)
		if err != nil {
			if !errors.Is(err, ErrCard) {
				t.Fatal(err)
			}
			return
		}
		if again, err := FormatCard(card); err != nil {
			t.Fatal(again, err)
		}
	})
}
