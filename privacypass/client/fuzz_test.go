package client_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

// fixedKey returns the same key in every process, so that a corpus made by one
// means something to another.
func fixedKey(t testing.TB, typ privacypass.TokenType) issuer.Key {
	t.Helper()
	k, err := issuer.GenerateKey(typ, mathrand.NewChaCha8([32]byte{1}))
	if typ == privacypass.BlindRSA {
		var vs []struct{ SkS string }
		var b []byte
		if b, err = os.ReadFile("../testdata/rfc9578_type2.json"); err == nil {
			err = json.Unmarshal(b, &vs)
		}
		if err != nil {
			t.Fatal(err)
		}
		pemBytes, _ := hex.DecodeString(vs[0].SkS)
		block, _ := pem.Decode(pemBytes)
		k, err = issuer.ParseKey(secret.New(append([]byte{0, 2}, block.Bytes...)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func FuzzRestore(f *testing.F) {
	ps, _ := pendings(f)
	for _, p := range ps {
		f.Add(p.Export().Reveal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<13 {
			return // a blinding per token
		}
		p, err := client.Restore(secret.Clone(b))
		if err != nil {
			if !errors.Is(err, client.ErrState) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(p.Export().Reveal(), b) {
			t.Fatalf("%x exports as something else", b)
		}
	})
}

func FuzzPublicKey(f *testing.F) {
	for _, typ := range privacypass.TokenTypes() {
		f.Add(uint16(typ), fixedKey(f, typ).PublicKey())
	}
	f.Fuzz(func(t *testing.T, typ uint16, b []byte) {
		k, err := client.ParsePublicKey(privacypass.TokenType(typ), b)
		if err == nil && (!bytes.Equal(k.Bytes(), b) || k.ID() != privacypass.KeyIDOf(b)) {
			t.Fatalf("%x", b)
		}
	})
}

// FuzzFinalize: whatever an issuer answers gives checked tokens or an error.
func FuzzFinalize(f *testing.F) {
	ps, keys := pendings(f)
	for i, p := range ps {
		f.Add(uint8(i), answer(f, p, keys[i]...).Body)
	}
	f.Fuzz(func(t *testing.T, i uint8, body []byte) {
		p := ps[int(i)%len(ps)]
		tokens, err := p.Finalize(body)
		if err != nil && (tokens != nil || !errors.Is(err, client.ErrResponse)) {
			t.Fatalf("%d tokens, %v", len(tokens), err)
		}
	})
}
