package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func signer(t testing.TB) *mls.SignatureKey {
	t.Helper()
	s, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.GenerateSignatureKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestTagOpensInItsPlaceAlone: a tag opens to the content, key, group and epoch
// that it was made for, and to no other.
func TestTagOpensInItsPlaceAlone(t *testing.T) {
	g := wire.GroupID{1}
	tag, data, err := seal.TagContent(rand.Reader, g, 7, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := seal.OpenTagged(tag[:], g, 7, data)
	if err != nil || string(c.Content) != "content" {
		t.Fatalf("opens to %v, %v", c, err)
	}
	again, _, err := seal.TagContent(rand.Reader, g, 7, []byte("content"))
	if err != nil || again == tag {
		t.Error("one content has one tag twice: whoever guesses it could see that")
	}
	refused := func(what string, tag []byte, g wire.GroupID, epoch uint64, data []byte) {
		t.Helper()
		if _, err := seal.OpenTagged(tag, g, epoch, data); !errors.Is(err, seal.ErrTag) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("other group", tag[:], wire.GroupID{2}, 7, data)
	refused("other epoch", tag[:], g, 8, data)
	refused("no tag", nil, g, 7, data)
	refused("trailing octet", tag[:], g, 7, append(bytes.Clone(data), 0))
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		refused("changed data", tag[:], g, 7, bad)
		refused("prefix of the data", tag[:], g, 7, data[:i])
	}
	for i := range tag {
		bad := tag
		bad[i] ^= 1
		refused("changed tag", bad[:], g, 7, data)
		refused("prefix of the tag", tag[:i], g, 7, data)
	}
}

// TestTagHasOneReading: a key and content that continue each other, or a key that
// HMAC would pad or hash to another's, do not give two openings of one tag.
func TestTagHasOneReading(t *testing.T) {
	tag := func(key int, content string) wire.FrankingTag {
		t.Helper()
		c := &wire.FrankedContent{Key: secretBytes(key), Content: []byte(content)}
		for i := range c.Key.Reveal() {
			c.Key.Reveal()[i] = 0
		}
		out, err := seal.TagOf(wire.GroupID{}, 0, c)
		if (err == nil) != (key == wire.FrankingKeySize) || err != nil && !errors.Is(err, mls.ErrEncode) {
			t.Errorf("key of %d octets: %v", key, err)
		}
		return out
	}
	if tag(32, "") == tag(32, "\x00") {
		t.Error("an empty content and a zero have one tag")
	}
	for _, n := range []int{0, 31, 33, 64, 65} {
		tag(n, "content")
	}
}

// TestFrankIsForItsContextAlone: nothing in a frank can be changed, and only the
// service's own keys count.
func TestFrankIsForItsContextAlone(t *testing.T) {
	own, other := signer(t), signer(t)
	keys := [][]byte{other.Public(), own.Public()}
	said := seal.Franked{Domain: "ds.example", Group: wire.GroupID{1}, Sender: [32]byte{2}, Epoch: 3, Tag: wire.FrankingTag{4}}
	frank, err := said.Frank(own, 20000)
	if err != nil {
		t.Fatal(err)
	}
	if err := said.Verify(keys, frank); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, keys [][]byte, change func(*seal.Franked, *wire.Frank)) {
		t.Helper()
		s, f := said, *frank
		change(&s, &f)
		if err := s.Verify(keys, &f); !errors.Is(err, seal.ErrFrank) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, change := range map[string]func(*seal.Franked, *wire.Frank){
		"domain":    func(s *seal.Franked, _ *wire.Frank) { s.Domain = "evil.example" },
		"group":     func(s *seal.Franked, _ *wire.Frank) { s.Group[0]++ },
		"sender":    func(s *seal.Franked, _ *wire.Frank) { s.Sender[31]++ },
		"epoch":     func(s *seal.Franked, _ *wire.Frank) { s.Epoch++ },
		"tag":       func(s *seal.Franked, _ *wire.Frank) { s.Tag[0]++ },
		"day":       func(_ *seal.Franked, f *wire.Frank) { f.Day++ },
		"key":       func(_ *seal.Franked, f *wire.Frank) { f.Key = wire.FrankKeyIDOf(other.Public()) },
		"signature": func(_ *seal.Franked, f *wire.Frank) { f.Signature[63] ^= 1 },
	} {
		refused(what, keys, change)
	}
	refused("of another service", keys[:1], func(*seal.Franked, *wire.Frank) {})
	refused("of a service without keys", nil, func(*seal.Franked, *wire.Frank) {})
}

// TestSenderIsCredentialAndKey: who has another's credential under a key of its
// own is another sender.
func TestSenderIsCredentialAndKey(t *testing.T) {
	seen := map[[32]byte]bool{}
	for _, c := range []mls.Credential{mls.BasicCredential([]byte("a")), mls.BasicCredential([]byte("ab"))} {
		for _, key := range []string{"bc", "c"} {
			s, err := wire.FrankedSender(&c, []byte(key))
			if err != nil || seen[s] {
				t.Errorf("two leaves are one sender, %v", err)
			}
			seen[s] = true
		}
	}
}

// FuzzOpenTagged: whatever a member sends opens to what was tagged, or to nothing.
func FuzzOpenTagged(f *testing.F) {
	tag, data, err := seal.TagContent(rand.Reader, wire.GroupID{1}, 7, []byte("content"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tag[:], data)
	f.Fuzz(func(t *testing.T, tag, data []byte) {
		c, err := seal.OpenTagged(tag, wire.GroupID{1}, 7, data)
		if err != nil {
			if !errors.Is(err, seal.ErrTag) {
				t.Fatal(err)
			}
			return
		}
		if again, err := mls.Marshal(c); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x becomes %x, %v", data, again, err)
		}
	})
}

// FuzzOpenLink: whatever a member puts into its link ends in a typed error.
func FuzzOpenLink(f *testing.F) {
	f.Add(make([]byte, 256))
	key := seal.LinkKey{Bytes: secretBytes(seal.LinkKeySize)}
	c := &wire.PseudonymousCredential{Provider: "example.org", UserAuthKey: make([]byte, 32)}
	aad := append([]byte("pseudods 1.0 IdentityLink"), make([]byte, 2*wire.PseudonymSize)...)
	f.Fuzz(func(t *testing.T, plain []byte) {
		var err error
		if c.IdentityLink, err = seal.SealNonced(rand.Reader, key.Bytes, plain, aad); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.OpenLink(c, []byte("leaf key"), key); !errors.Is(err, seal.ErrLink) && !errors.Is(err, seal.ErrLinkSignature) {
			t.Fatal(err)
		}
	})
}
