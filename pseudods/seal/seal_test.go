package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func key(t testing.TB, kem wire.KEM) *seal.PrivateKey {
	t.Helper()
	k, err := seal.GenerateKey(kem)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func secretBytes(n int) secret.Bytes {
	b := make([]byte, n)
	rand.Read(b)
	return secret.New(b)
}

func deliverySecret() seal.DeliverySecret {
	return seal.DeliverySecret{Bytes: secretBytes(seal.DeliverySecretSize)}
}

func wantOpenErr(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, seal.ErrOpen) {
		t.Errorf("%s: got %v, want ErrOpen", what, err)
	}
}

var kems = []wire.KEM{wire.X25519, wire.XWing}

func TestKeysSurviveMarshalling(t *testing.T) {
	for _, kem := range kems {
		k := key(t, kem)
		b, err := k.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := seal.ParseKey(kem, b)
		if err != nil || again.Public().ID() != k.Public().ID() {
			t.Errorf("KEM %#x: read back as another key, %v", kem, err)
		}
		if _, err := seal.ParseKey(kem, secretBytes(31)); !errors.Is(err, seal.ErrKey) {
			t.Errorf("KEM %#x: short key: %v", kem, err)
		}
		if err := seal.CheckKey(k.Public()); err != nil {
			t.Error(err)
		}
		if err := seal.CheckKey(&wire.HPKEKey{KEM: kem, Public: []byte{1}}); !errors.Is(err, seal.ErrKey) {
			t.Errorf("KEM %#x: short public key: %v", kem, err)
		}
	}
	if _, err := seal.GenerateKey(1); !errors.Is(err, seal.ErrKey) {
		t.Errorf("unknown KEM: %v", err)
	}
}

func TestAddressOpensOnlyInItsPlace(t *testing.T) {
	group, nonce := []byte("group"), [wire.NonceSizeAddress]byte{1}
	use := seal.Use{Domain: "ds.example", Binding: seal.Binding(group, nonce)}
	elsewhere := map[string]seal.Use{
		"other group":   {Domain: use.Domain, Binding: seal.Binding([]byte("other"), nonce)},
		"other nonce":   {Domain: use.Domain, Binding: seal.Binding(group, [wire.NonceSizeAddress]byte{2})},
		"other service": {Domain: "evil.example", Binding: use.Binding},
		"no use":        {},
	}
	for _, kem := range kems {
		k := key(t, kem)
		queue, address := wire.QueueID{1}, wire.AddressID{2}
		for kind := wire.AddressBound; kind <= wire.AddressReusable; kind++ {
			a, err := seal.SealAddress(k.Public(), kind, queue, address, use)
			if err != nil {
				t.Fatal(err)
			}
			if a.KeyID != k.Public().ID() {
				t.Error("the address does not name its key")
			}
			q, i, err := seal.OpenAddress(k, a, use)
			if err != nil || q != queue || i != address {
				t.Fatalf("kind %d: opened as %x %x, %v", kind, q, i, err)
			}
			for name, other := range elsewhere {
				_, _, err := seal.OpenAddress(k, a, other)
				if kind == wire.AddressBound {
					wantOpenErr(t, name, err)
				} else if err != nil {
					t.Errorf("kind %d, %s: %v", kind, name, err)
				}
			}
			_, _, err = seal.OpenAddress(key(t, kem), a, use)
			wantOpenErr(t, "other key", err)
			changed := *a
			changed.Kind = kind%wire.AddressReusable + 1
			_, _, err = seal.OpenAddress(k, &changed, use)
			wantOpenErr(t, "other kind", err)
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	a, use := wire.AddressID{1}, seal.Use{Domain: "ds.example"}
	streams := map[wire.AddressID]bool{a: true}
	for _, s := range []wire.AddressID{
		seal.StreamOf(a, use),
		seal.StreamOf(wire.AddressID{2}, use),
		seal.StreamOf(a, seal.Use{Domain: "other.example"}),
		seal.StreamOf(a, seal.Use{Domain: "ds.example", Binding: [32]byte{1}}),
	} {
		if streams[s] {
			t.Error("two uses of an address have one stream")
		}
		streams[s] = true
	}
	if again := seal.StreamOf(a, seal.Use{Domain: "ds.example"}); !streams[again] {
		t.Error("one use has two streams")
	}
}

func TestEntry(t *testing.T) {
	s, e := deliverySecret(), &seal.Entry{PayloadKey: secretBytes(32), Sequence: 42}
	sealed, err := seal.SealEntry(rand.Reader, s, e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := seal.OpenEntry(s, &sealed)
	if err != nil || got.Sequence != 42 || !got.PayloadKey.Equal(e.PayloadKey) {
		t.Fatalf("opened as %v, %v", got, err)
	}
	again, err := seal.SealEntry(rand.Reader, s, e)
	if err != nil || again == sealed {
		t.Error("sealing is not randomised")
	}
	_, err = seal.OpenEntry(deliverySecret(), &sealed)
	wantOpenErr(t, "another member", err)
	for i := range sealed {
		damaged := sealed
		damaged[i] ^= 1
		_, err := seal.OpenEntry(s, &damaged)
		wantOpenErr(t, "damaged", err)
	}
}

func TestWelcomeEntry(t *testing.T) {
	k, e := key(t, wire.X25519), &seal.Entry{PayloadKey: secretBytes(32), Sequence: 42}
	sealed, err := seal.SealWelcomeEntry([32]byte(k.Public().Public), e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := seal.OpenWelcomeEntry(k, &sealed)
	if err != nil || got.Sequence != 42 || !got.PayloadKey.Equal(e.PayloadKey) {
		t.Fatalf("opened as %v, %v", got, err)
	}
	_, err = seal.OpenWelcomeEntry(key(t, wire.X25519), &sealed)
	wantOpenErr(t, "another joiner", err)
	if _, err := seal.OpenWelcomeEntry(key(t, wire.XWing), &sealed); !errors.Is(err, seal.ErrKey) {
		t.Errorf("wrong KEM: %v", err)
	}
	if _, err := seal.SealWelcomeEntry([32]byte{}, e); !errors.Is(err, seal.ErrKey) {
		t.Errorf("key of low order: %v", err)
	}
}

func TestNumbers(t *testing.T) {
	s := deliverySecret()
	first := seal.Number(s, 0)
	if first == 0 || first != seal.Number(s, 0) || seal.Number(s, 7)-first != 7 {
		t.Error("numbers do not follow the sequence")
	}
	if seal.Number(s, 1<<62-1) < first {
		t.Error("numbers overflow")
	}
	if seal.Number(deliverySecret(), 0) == first {
		t.Error("two members' numbers begin at one place")
	}
}

func TestPayload(t *testing.T) {
	sizes := map[int]bool{}
	for _, n := range []int{0, 1, 252, 253, 1000, 1020, 1024, 5000, 100_000} {
		message := bytes.Repeat([]byte{7}, n)
		ciphertext, k, err := seal.SealPayload(rand.Reader, message)
		if err != nil {
			t.Fatal(err)
		}
		sizes[len(ciphertext)] = true
		got, err := seal.OpenPayload(k, ciphertext)
		if err != nil || !bytes.Equal(got, message) {
			t.Fatalf("%d octets: %v", n, err)
		}
		_, err = seal.OpenPayload(secretBytes(32), ciphertext)
		wantOpenErr(t, "other key", err)
		ciphertext[n%len(ciphertext)] ^= 1
		_, err = seal.OpenPayload(k, ciphertext)
		wantOpenErr(t, "damaged", err)
	}
	// 0, 1 and 252 octets share a class, and so do 1000 and 1020.
	if len(sizes) != 6 {
		t.Errorf("%d size classes", len(sizes))
	}
	if _, _, err := seal.SealPayload(rand.Reader, make([]byte, seal.MaxPlaintext+1)); !errors.Is(err, seal.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := seal.OpenPayload(secretBytes(31), nil); !errors.Is(err, seal.ErrKey) {
		t.Errorf("short key: %v", err)
	}
}

func TestPaddedSize(t *testing.T) {
	for _, c := range [][2]int{{0, 256}, {256, 256}, {257, 272}, {1024, 1024}, {1025, 1088}, {9000, 9216}, {1 << 20, 1 << 20}, {1<<20 + 1, 1<<20 + 1<<15}} {
		if got := seal.PaddedSize(c[0]); got != c[1] {
			t.Errorf("PaddedSize(%d) = %d, want %d", c[0], got, c[1])
		}
	}
	for n := 257; n < 100_000; n++ {
		p := seal.PaddedSize(n)
		if p < n || float64(p) > 1.12*float64(n) || seal.PaddedSize(p) != p || p < seal.PaddedSize(n-1) {
			t.Fatalf("PaddedSize(%d) = %d", n, p)
		}
	}
}

func TestSegment(t *testing.T) {
	for _, kem := range kems {
		owner, queue := key(t, kem), wire.QueueID{1}
		k, kemOutput, err := seal.NewSegment(owner.Public(), queue)
		if err != nil {
			t.Fatal(err)
		}
		s, item := k.Segment(), &wire.Item{Kind: wire.ItemDelivery, Address: wire.AddressID{2}, Stream: wire.AddressID{2}, Inline: []byte("payload")}
		ciphertext, err := s.Seal(7, item)
		if err != nil {
			t.Fatal(err)
		}
		mine, err := seal.OpenSegment(owner, queue, kemOutput)
		if err != nil {
			t.Fatal(err)
		}
		got, err := mine.Open(&wire.QueueEntry{Counter: 7, Ciphertext: ciphertext})
		if err != nil || got.Address != item.Address || !bytes.Equal(got.Inline, item.Inline) {
			t.Fatalf("opened as %v, %v", got, err)
		}
		_, err = mine.Open(&wire.QueueEntry{Counter: 8, Ciphertext: ciphertext})
		wantOpenErr(t, "other counter", err)
		for name, open := range map[string]func() (*seal.Segment, error){
			"other queue": func() (*seal.Segment, error) { return seal.OpenSegment(owner, wire.QueueID{2}, kemOutput) },
			"other owner": func() (*seal.Segment, error) { return seal.OpenSegment(key(t, kem), queue, kemOutput) },
		} {
			other, err := open()
			if err == nil {
				_, err = other.Open(&wire.QueueEntry{Counter: 7, Ciphertext: ciphertext})
			}
			wantOpenErr(t, name, err)
		}
		_, err = seal.OpenSegment(owner, queue, kemOutput[1:])
		wantOpenErr(t, "short KEM output", err)
		if _, err := s.Seal(9, &wire.Item{}); !errors.Is(err, mls.ErrEncode) {
			t.Errorf("empty item: %v", err)
		}
	}
}

func TestOffer(t *testing.T) {
	for _, kem := range kems {
		service, k := key(t, wire.X25519), key(t, kem)
		address, err := seal.SealAddress(service.Public(), wire.AddressReusable, wire.QueueID{1}, wire.AddressID{2}, seal.Use{})
		if err != nil {
			t.Fatal(err)
		}
		card := &wire.ContactCard{Domain: "qs.example", Address: *address, OfferKey: *k.Public(), Identity: []byte("somebody")}
		contact := &wire.Contact{Card: *card, Token: wire.ContactToken{Bytes: secretBytes(wire.ContactTokenSize)}, LinkWrap: secretBytes(wire.LinkWrapSize), Content: []byte("hello")}
		offer, err := seal.SealOffer(card, contact)
		if err != nil {
			t.Fatal(err)
		}
		got, err := seal.OpenOffer(k, card, offer)
		if err != nil || string(got.Content) != "hello" || !got.Token.Equal(contact.Token.Bytes) {
			t.Fatalf("opened as %v, %v", got, err)
		}
		_, err = seal.OpenOffer(key(t, kem), card, offer)
		wantOpenErr(t, "other card", err)
		moved := *card
		moved.Address.KeyID[0]++
		_, err = seal.OpenOffer(k, &moved, offer)
		wantOpenErr(t, "other address", err)
		for n := range offer {
			if _, err := seal.OpenOffer(k, card, offer[:n]); err == nil {
				t.Fatalf("prefix of %d octets opens", n)
			}
		}
		if bytes.Equal(seal.OfferHash(offer), seal.OfferHash(offer[1:])) {
			t.Error("two offers have one hash")
		}
		if _, err := seal.SealOffer(card, &wire.Contact{}); !errors.Is(err, mls.ErrEncode) {
			t.Errorf("empty contact: %v", err)
		}
	}
}
