package issuer_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

func TestKeyRoundTrip(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		k := generate(t, typ)
		p, err := typ.Params()
		if err != nil {
			t.Fatal(err)
		}
		if k.TokenType() != typ || len(k.PublicKey()) != p.PublicKeySize || k.ID() != privacypass.KeyIDOf(k.PublicKey()) {
			t.Errorf("%v: public key of %d octets", typ, len(k.PublicKey()))
		}
		b := k.Marshal()
		back, err := issuer.ParseKey(b)
		if err != nil || back.ID() != k.ID() || !back.Marshal().Equal(b) {
			t.Errorf("%v: %v", typ, err)
		}
		raw := b.Reveal()
		for n := range raw {
			if _, err := issuer.ParseKey(secret.Clone(raw[:n])); err == nil {
				t.Errorf("%v: prefix of %d octets accepted", typ, n)
			}
		}
		if _, err := issuer.ParseKey(secret.New(append(bytes.Clone(raw), 0))); !errors.Is(err, issuer.ErrKeyFormat) {
			t.Errorf("%v: trailing octet: %v", typ, err)
		}
		k.PublicKey()[0] ^= 1
		if k.ID() != privacypass.KeyIDOf(k.PublicKey()) {
			t.Errorf("%v: the caller can change the key", typ)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	order := "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"
	for name, b := range map[string]string{
		"zero scalar":       "0005" + strings.Repeat("00", 32),
		"scalar = order":    "0005" + order,
		"scalar over order": "0005" + strings.Repeat("ff", 32),
		"P-384 zero":        "0001" + strings.Repeat("00", 48),
		"P-384 over order":  "0001" + strings.Repeat("ff", 48),
	} {
		raw, err := hex.DecodeString(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := issuer.ParseKey(secret.New(raw)); !errors.Is(err, issuer.ErrKeyFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := issuer.ParseKey(secret.New([]byte{0xda, 0x7a, 1})); !errors.Is(err, privacypass.ErrTokenType) {
		t.Errorf("unknown type: %v", err)
	}
	parse := func(key any) error {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = issuer.ParseKey(secret.New(append([]byte{0, 2}, der...)))
		return err
	}
	big, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	if err := parse(big); !errors.Is(err, issuer.ErrKeyFormat) {
		t.Errorf("3072 bits: %v", err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := parse(ec); !errors.Is(err, issuer.ErrKeyFormat) {
		t.Errorf("ECDSA: %v", err)
	}
}

func TestDeriveKey(t *testing.T) {
	for typ, size := range map[privacypass.TokenType]int{privacypass.VOPRFP384: 48, privacypass.VOPRFRistretto255: 32} {
		seed := secret.New(bytes.Repeat([]byte{3}, size))
		a, err := issuer.DeriveKey(typ, seed)
		if err != nil {
			t.Fatal(err)
		}
		b, err := issuer.DeriveKey(typ, seed)
		if err != nil || a.ID() != b.ID() {
			t.Errorf("%v: not deterministic: %v", typ, err)
		}
		generated, err := issuer.GenerateKey(typ, bytes.NewReader(seed.Reveal()))
		if err != nil || generated.ID() != a.ID() {
			t.Errorf("%v: GenerateKey is not DeriveKey of what it reads: %v", typ, err)
		}
		if _, err := issuer.DeriveKey(typ, secret.New(make([]byte, size-1))); !errors.Is(err, issuer.ErrKeyFormat) {
			t.Errorf("%v: short seed: %v", typ, err)
		}
	}
	if _, err := issuer.DeriveKey(privacypass.BlindRSA, secret.New(make([]byte, 48))); !errors.Is(err, privacypass.ErrTokenType) {
		t.Errorf("blind RSA: %v", err)
	}
	if _, err := issuer.GenerateKey(0x1132, rand.Reader); !errors.Is(err, privacypass.ErrTokenType) {
		t.Errorf("reserved type: %v", err)
	}
}

// TestKeysPrintNothing: no verb shows a private key, whatever it is part of.
func TestKeysPrintNothing(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		k := generate(t, typ)
		holder := struct {
			Key issuer.Key
			i   *issuer.Issuer
		}{k, newIssuer(t, k)}
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&out, verb, k)
			fmt.Fprintf(&out, verb, holder)
			fmt.Fprintf(&out, verb, &holder)
			fmt.Fprintf(&out, verb, holder.i)
			fmt.Fprintf(&out, verb, *holder.i)
		}
		body := k.Marshal().Reveal()[2:]
		for at := 0; at+16 <= len(body); at += 16 {
			part := body[at : at+16]
			if bytes.Contains(k.PublicKey(), part) {
				continue // the modulus
			}
			for _, leak := range []string{string(part), hex.EncodeToString(part), " " + strings.Trim(fmt.Sprint(part), "[]") + " ", strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}")} {
				if strings.Contains(out.String(), leak) {
					t.Errorf("%v: output holds octets %d of the key", typ, at)
				}
			}
		}
	}
}
