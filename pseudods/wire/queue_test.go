package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

func fill[T ~[]byte](n int) T { return T(bytes.Repeat([]byte{0xA5}, n)) }

// queueSamples has each structure of the queue service, so that no parser is
// without a test. Its order is that of the fuzz target's selector.
func queueSamples() []sample {
	key := HPKEKey{KEM: X25519, Public: fill[[]byte](32)}
	sealed := SealedAddress{Kind: AddressReusable, KEMOutput: fill[[]byte](32), Ciphertext: fill[[]byte](AddressCiphertextSize)}
	address := QueueAddress{Domain: "qs.example", Sealed: sealed, Nonce: [16]byte{7}}
	settings := QueueSettings{Version: 3, MaxEntries: 10, MaxBytes: 1000, TTLDays: 30, Overflow: OverflowDropOldest, Push: []byte("push")}
	token := ContactToken{secret.New(fill[[]byte](ContactTokenSize))}
	card := ContactCard{Domain: "qs.example", Address: sealed, OfferKey: HPKEKey{KEM: XWing, Public: fill[[]byte](1216)},
		Pools: []PoolID{{1}, {2}}, Identity: []byte("identity"), Signature: []byte("signature")}
	ticket := Ticket{Payload: PayloadID{1}, Index: 2, MAC: [16]byte{3}}
	item := &Item{Kind: ItemDelivery, Address: AddressID{1}, Stream: AddressID{1}, Inline: []byte("inline")}
	pointing := &Item{Kind: ItemOffer, Address: AddressID{1}, Stream: AddressID{2}, Ticket: &ticket}
	return []sample{
		{"HPKE key", &key, func() structure { return new(HPKEKey) }},
		{"address keys", &AddressKeys{{Key: key, SealUntil: 1, OpenUntil: 2}}, func() structure { return new(AddressKeys) }},
		{"sealed address", &sealed, func() structure { return new(SealedAddress) }},
		{"queue address", &address, func() structure { return new(QueueAddress) }},
		{"KeyPackage address", &KeyPackageAddress{Address: address, WelcomeKey: [32]byte{1}}, func() structure { return new(KeyPackageAddress) }},
		{"queue settings", &settings, func() structure { return new(QueueSettings) }},
		{"create queue", &CreateQueue{OwnerKey: [32]byte{1}, SegmentKey: key, Settings: settings}, func() structure { return new(CreateQueue) }},
		{"queue info", &QueueInfo{Queue: QueueID{1}, Settings: settings}, func() structure { return new(QueueInfo) }},
		{"delete queue", &DeleteQueue{[32]byte{1}}, func() structure { return new(DeleteQueue) }},
		{"revoke address", &RevokeAddress{QueueID{1}, AddressID{2}}, func() structure { return new(RevokeAddress) }},
		{"read queue", &ReadQueue{QueueID{1}, 2, 3, 4}, func() structure { return new(ReadQueue) }},
		{"queue page", &QueuePage{Segments: []Segment{{Start: 1, ID: SegmentID{2}, KEMOutput: []byte{3}}},
			Entries: []QueueEntry{{Seq: 1, Segment: 1, Counter: 2, Ciphertext: []byte{3}}}, Empty: true}, func() structure { return new(QueuePage) }},
		{"ack queue", &AckQueue{QueueID{1}, 2, []Ticket{ticket}}, func() structure { return new(AckQueue) }},
		{"ticket", &ticket, func() structure { return new(Ticket) }},
		{"fetch payloads", &FetchPayloads{[]Ticket{ticket}}, func() structure { return new(FetchPayloads) }},
		{"payloads", &Payloads{[]byte("a"), {}}, func() structure { return new(Payloads) }},
		{"item", item, func() structure { return new(Item) }},
		{"item with a ticket", pointing, func() structure { return new(Item) }},
		{"delivery", &Delivery{Payload: []byte("p"), Recipients: []Recipient{{Address: sealed, Number: 1}}}, func() structure { return new(Delivery) }},
		{"delivery report", &DeliveryReport{Delivered, Full}, func() structure { return new(DeliveryReport) }},
		{"contact card", &card, func() structure { return new(ContactCard) }},
		{"connection request", &ConnectionRequest{sealed, []byte("offer")}, func() structure { return new(ConnectionRequest) }},
		{"contact", &Contact{Card: card, Token: token, Pools: []PoolID{{1}}, LinkWrap: secret.New(make([]byte, 32)), Accepts: []byte{1}, Content: []byte("hello"),
			Version: 7, Signature: []byte{2}}, func() structure { return new(Contact) }},
		{"publish KeyPackages", &PublishKeyPackages{Kind: PoolGroup, Batch: 1, First: 2, KeyPackages: []PublishedKeyPackage{{[]byte{1}, 20000, true}}, Last: true}, func() structure { return new(PublishKeyPackages) }},
		{"pool status", &PoolStatus{1, 2, 3}, func() structure { return new(PoolStatus) }},
		{"allow contact", &AllowContact{PoolID{1}, ContactHash{2}, true}, func() structure { return new(AllowContact) }},
		{"delete pool", &DeletePool{[32]byte{1}}, func() structure { return new(DeletePool) }},
		{"fetch KeyPackage", &FetchKeyPackage{PoolID{1}, token}, func() structure { return new(FetchKeyPackage) }},
		{"fetch connection KeyPackage", &FetchKeyPackage{Pool: PoolID{1}}, func() structure { return new(FetchKeyPackage) }},
	}
}

func TestQueueStructures(t *testing.T) {
	for _, s := range queueSamples() {
		data, err := mls.Marshal(s.value)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		v := s.empty()
		if err := mls.Unmarshal(data, v); err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if again, err := mls.Marshal(v); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s: encodes as %x, %v; want %x", s.name, again, err, data)
		}
		for n := range data {
			if err := mls.Unmarshal(data[:n], s.empty()); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: prefix of %d octets: %v", s.name, n, err)
			}
		}
		if err := mls.Unmarshal(append(data, 0), s.empty()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: trailing octet: %v", s.name, err)
		}
	}
}

func TestQueueStructuresThatHaveNoEncoding(t *testing.T) {
	for name, v := range map[string]mls.Marshaler{
		"KEM":               &HPKEKey{KEM: 1, Public: fill[[]byte](32)},
		"key size":          &HPKEKey{KEM: XWing, Public: fill[[]byte](32)},
		"address kind":      &SealedAddress{KEMOutput: []byte{1}, Ciphertext: fill[[]byte](AddressCiphertextSize)},
		"address size":      &SealedAddress{Kind: AddressBound, KEMOutput: []byte{1}, Ciphertext: []byte{1}},
		"no domain":         &QueueAddress{Sealed: SealedAddress{Kind: AddressBound, KEMOutput: []byte{1}, Ciphertext: fill[[]byte](AddressCiphertextSize)}},
		"overflow":          &QueueSettings{Overflow: 2},
		"push":              &QueueSettings{Push: make([]byte, maxPush+1)},
		"item kind":         &Item{},
		"pool kind":         &PublishKeyPackages{},
		"short token":       &FetchKeyPackage{Contact: ContactToken{secret.New([]byte{1})}},
		"contact, no token": &Contact{},
	} {
		if _, err := mls.Marshal(v); !errors.Is(err, mls.ErrEncode) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQueueStructuresThatAreRefused(t *testing.T) {
	bound := &KeyPackageAddress{Address: QueueAddress{Domain: "qs.example",
		Sealed: SealedAddress{Kind: AddressBound, KEMOutput: []byte{1}, Ciphertext: fill[[]byte](AddressCiphertextSize)}}}
	var w tlscodec.Writer
	bound.MarshalTLS(&w)
	data, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := mls.Unmarshal(data, new(KeyPackageAddress)); !errors.Is(err, ErrMalformed) {
		t.Errorf("bound address in a KeyPackage: %v", err)
	}
	for name, c := range map[string]struct {
		into mls.Unmarshaler
		data []byte
	}{
		"outcome":     {new(DeliveryReport), []byte{1, 9}},
		"outcome 0":   {new(DeliveryReport), []byte{1, 0}},
		"empty KEM":   {new(SealedAddress), append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]byte, AddressCiphertextSize)...)},
		"same stream": {new(Item), append(append([]byte{2}, make([]byte, 16)...), append([]byte{1}, make([]byte, 18)...)...)},
	} {
		if err := mls.Unmarshal(c.data, c.into); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIdentifiersAreSeparated(t *testing.T) {
	key := fill[[]byte](32)
	if q, p := QueueIDOf(key), PoolIDOf(key); [16]byte(q) == [16]byte(p) {
		t.Error("a queue and a pool of one key have one identifier")
	}
	token := ContactToken{secret.New(fill[[]byte](ContactTokenSize))}
	if token.Hash(PoolID{1}) == token.Hash(PoolID{2}) {
		t.Error("one token has one hash in two pools")
	}
	x := HPKEKey{KEM: X25519, Public: key}
	y := HPKEKey{KEM: XWing, Public: key}
	if x.ID() == y.ID() {
		t.Error("the identifier of a key leaves out its KEM")
	}
}

// TestContactTBS: the signature of an offer covers everything in it but itself,
// and whom it is for.
func TestContactTBS(t *testing.T) {
	card := ContactCard{Domain: "qs.example", Address: SealedAddress{Kind: AddressReusable, KEMOutput: []byte{1}, Ciphertext: fill[[]byte](AddressCiphertextSize)},
		OfferKey: HPKEKey{KEM: X25519, Public: fill[[]byte](32)}}
	tbs := func(change func(c *Contact, to *ContactCard)) string {
		c, to := Contact{Card: card, Token: ContactToken{secret.New(make([]byte, ContactTokenSize))}, LinkWrap: secret.New(make([]byte, LinkWrapSize))}, card
		change(&c, &to)
		b, err := c.TBS(&to)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	seen := map[string]string{tbs(func(*Contact, *ContactCard) {}): "nothing"}
	for name, change := range map[string]func(c *Contact, to *ContactCard){
		"card":      func(c *Contact, _ *ContactCard) { c.Card.Signature = []byte{1} },
		"version":   func(c *Contact, _ *ContactCard) { c.Version = 1 },
		"token":     func(c *Contact, _ *ContactCard) { c.Token = ContactToken{secret.New(fill[[]byte](ContactTokenSize))} },
		"pools":     func(c *Contact, _ *ContactCard) { c.Pools = []PoolID{{}} },
		"link wrap": func(c *Contact, _ *ContactCard) { c.LinkWrap = secret.New(fill[[]byte](LinkWrapSize)) },
		"accepts":   func(c *Contact, _ *ContactCard) { c.Accepts = []byte{1} },
		"content":   func(c *Contact, _ *ContactCard) { c.Content = []byte{1} },
		"address":   func(_ *Contact, to *ContactCard) { to.Address.KeyID[0]++ },
		"offer key": func(_ *Contact, to *ContactCard) { to.OfferKey.Public = make([]byte, 32) },
	} {
		b := tbs(change)
		if other, same := seen[b]; same {
			t.Errorf("%s and %s changed give one signature", name, other)
		}
		seen[b] = name
	}
	if b := tbs(func(c *Contact, _ *ContactCard) { c.Signature = []byte{1} }); seen[b] != "nothing" {
		t.Error("the signature signs itself")
	}
}

func TestPriceNames(t *testing.T) {
	seen := map[string]Operation{}
	for o, name := range priceNames {
		if !o.IsGroup() && !o.IsQueue() || name == "" || o.PriceName() != name {
			t.Errorf("operation %#x", uint16(o))
		}
		if other, twice := seen[name]; twice {
			t.Errorf("operations %#x and %#x have one name", uint16(o), uint16(other))
		}
		seen[name] = o
	}
	if g, q := PriceNames(Operation.IsGroup), PriceNames(Operation.IsQueue); len(g)+len(q) != len(priceNames) || q[OpCreateQueue] == "" {
		t.Errorf("%d and %d names of the roles", len(g), len(q))
	}
	if OpReadQueue.PriceName() != "" {
		t.Error("reading has a price")
	}
}

// FuzzQueueStructures: what decodes encodes to the same octets.
func FuzzQueueStructures(f *testing.F) {
	samples := queueSamples()
	for i, s := range samples {
		data, err := mls.Marshal(s.value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), data)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		v := samples[int(which)%len(samples)].empty()
		if mls.Unmarshal(data, v) != nil {
			return
		}
		out, err := mls.Marshal(v)
		if err != nil || !bytes.Equal(out, data) {
			t.Fatalf("%x encodes as %x, %v", data, out, err)
		}
	})
}
