package issuer_test

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

// FuzzIssue: whatever a client sends is answered or refused as unprocessable.
func FuzzIssue(f *testing.F) {
	k, rsa, p := generate(f, privacypass.VOPRFRistretto255), generate(f, privacypass.BlindRSA), generate(f, privacypass.VOPRFP384)
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
		f.Add(generate(f, t).Marshal().Reveal())
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
