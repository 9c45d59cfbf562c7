package issuer_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
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

// FuzzIssue: whatever a client sends is answered or refused as unprocessable.
func FuzzIssue(f *testing.F) {
	k, rsa, p := fixedKey(f, privacypass.VOPRFRistretto255), fixedKey(f, privacypass.BlindRSA), fixedKey(f, privacypass.VOPRFP384)
	iss, err := issuer.New(issuer.Config{Rand: rand.Reader, MaxBatch: 3}, k, rsa, p)
	if err != nil {
		f.Fatal(err)
	}
	for _, key := range []issuer.Key{k, rsa, p} {
		one := single(f, key).Request()
		f.Add(uint8(privacypass.Single), one)
		f.Add(uint8(privacypass.Generic), generic(one, one))
		f.Add(uint8(privacypass.Amortized), amortized(key, one[3:], one[3:]))
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		q, err := iss.Parse(privacypass.Kind(kind), body)
		if err != nil {
			if !errors.Is(err, issuer.ErrUnprocessable) {
				t.Fatal(err)
			}
			return
		}
		if q.Count() < 1 || q.Count() > 3 || len(q.Keys()) != q.Count() {
			t.Fatalf("%d tokens", q.Count())
		}
		r, err := q.Issue()
		if err != nil && !errors.Is(err, issuer.ErrUnprocessable) {
			t.Fatal(err)
		}
		if err == nil && (r.Issued == 0) != (r.Status == 400) {
			t.Fatalf("%+v", r)
		}
	})
}

// FuzzParseKey: a private key is taken as it is encoded again, or refused.
func FuzzParseKey(f *testing.F) {
	for _, t := range privacypass.TokenTypes() {
		f.Add(fixedKey(f, t).Marshal().Reveal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := issuer.ParseKey(secret.Clone(b))
		if err != nil {
			if !errors.Is(err, issuer.ErrKeyFormat) && !errors.Is(err, privacypass.ErrTokenType) {
				t.Fatal(err)
			}
			return
		}
		if back, err := issuer.ParseKey(k.Marshal()); err != nil || back.ID() != k.ID() {
			t.Fatal(err)
		}
	})
}
