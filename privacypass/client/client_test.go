package client_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

func generate(t testing.TB, typ privacypass.TokenType) issuer.Key {
	t.Helper()
	k, err := issuer.GenerateKey(typ, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func want(t testing.TB, k issuer.Key) client.Want {
	t.Helper()
	public, err := client.ParsePublicKey(k.TokenType(), k.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if public.ID() != k.ID() || !bytes.Equal(public.Bytes(), k.PublicKey()) || public.TokenType() != k.TokenType() {
		t.Fatal("the public key changed")
	}
	return client.Want{Key: public, Challenge: &privacypass.TokenChallenge{TokenType: k.TokenType(), IssuerName: "issuer.example"}}
}

// answer plays the issuer.
func answer(t testing.TB, p *client.Pending, keys ...issuer.Key) *issuer.Response {
	t.Helper()
	iss, err := issuer.New(issuer.Config{Rand: rand.Reader}, keys...)
	if err != nil {
		t.Fatal(err)
	}
	q, err := iss.Parse(p.Kind(), p.Request())
	if err != nil {
		t.Fatal(err)
	}
	if q.Count() != p.Count() {
		t.Fatalf("%d tokens for the issuer, %d for the client", q.Count(), p.Count())
	}
	r, err := q.Issue()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pendings returns a request of each kind and type, with the keys that answer it.
// It is the same in every process.
func pendings(t testing.TB) (ps []*client.Pending, keys [][]issuer.Key) {
	t.Helper()
	random := mathrand.NewChaCha8([32]byte{2})
	t.Helper()
	add := func(p *client.Pending, err error, k ...issuer.Key) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		ps, keys = append(ps, p), append(keys, k)
	}
	var all []issuer.Key
	var wants []client.Want
	for _, typ := range privacypass.TokenTypes() {
		k := fixedKey(t, typ)
		w := want(t, k)
		all, wants = append(all, k), append(wants, w, w)
		p, err := client.Single(random, w)
		add(p, err, k)
		if typ != privacypass.BlindRSA {
			p, err = client.Amortized(random, w, 3)
			add(p, err, k)
			continue
		}
		w.ZeroSalt = true
		wants = append(wants, w)
		p, err = client.Single(random, w)
		add(p, err, k)
	}
	p, err := client.Generic(random, wants)
	add(p, err, all...)
	return ps, keys
}

// TestCrashBetweenRequestAndAnswer: what was exported makes the same request
// again and opens the answer to the same tokens.
func TestCrashBetweenRequestAndAnswer(t *testing.T) {
	ps, keys := pendings(t)
	for i, p := range ps {
		state := p.Export()
		restored, err := client.Restore(state)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if !bytes.Equal(restored.Request(), p.Request()) || restored.Kind() != p.Kind() || restored.Count() != p.Count() {
			t.Errorf("%d: another request", i)
		}
		if !restored.Export().Equal(state) {
			t.Errorf("%d: another state", i)
		}
		state.Wipe() // the restored request keeps what it needs
		r := answer(t, p, keys[i]...)
		a, err := p.Finalize(r.Body)
		if err != nil || len(a) != p.Count() {
			t.Fatalf("%d: %d tokens, %v", i, len(a), err)
		}
		b, err := restored.Finalize(r.Body)
		if err != nil || len(b) != len(a) {
			t.Fatalf("%d: %d tokens, %v", i, len(b), err)
		}
		// An answer to the repeated request has another proof and the same tokens.
		c, err := p.Finalize(answer(t, restored, keys[i]...).Body)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		nonces := map[[32]byte]bool{}
		for j := range a {
			x, _ := a[j].Marshal()
			y, _ := b[j].Marshal()
			z, _ := c[j].Marshal()
			if !bytes.Equal(x, y) || !bytes.Equal(x, z) {
				t.Errorf("%d: token %d differs", i, j)
			}
			nonces[a[j].Nonce] = true
		}
		if len(nonces) != len(a) {
			t.Errorf("%d: a nonce repeats", i)
		}
	}
}

func TestStateIsStrict(t *testing.T) {
	ps, _ := pendings(t)
	for i, p := range ps {
		raw := p.Export().Reveal()
		step := max(1, len(raw)/200) // each restored state costs a blinding per token
		for n := 0; n < len(raw); n += step {
			if _, err := client.Restore(secret.Clone(raw[:n])); !errors.Is(err, client.ErrState) {
				t.Errorf("%d: prefix of %d octets: %v", i, n, err)
			}
		}
		if _, err := client.Restore(secret.New(append(bytes.Clone(raw), 0))); !errors.Is(err, client.ErrState) {
			t.Errorf("%d: trailing octet: %v", i, err)
		}
		for name, at := range map[string]int{"version": 0, "kind": 1} {
			bad := bytes.Clone(raw)
			bad[at] ^= 0x40
			if _, err := client.Restore(secret.New(bad)); !errors.Is(err, client.ErrState) {
				t.Errorf("%d: %s: %v", i, name, err)
			}
		}
		for _, kind := range []privacypass.Kind{privacypass.Single, privacypass.Amortized, privacypass.Generic} {
			bad := bytes.Clone(raw)
			bad[1] = byte(kind)
			if kind != p.Kind() && p.Count() > 1 {
				if _, err := client.Restore(secret.New(bad)); !errors.Is(err, client.ErrState) {
					t.Errorf("%d: as %v: %v", i, kind, err)
				}
			}
		}
	}
}

// TestAnswersThatDoNotVerify: no octet of an answer can change without notice,
// and none of the tokens in a bad answer come out.
func TestAnswersThatDoNotVerify(t *testing.T) {
	ps, keys := pendings(t)
	for i, p := range ps {
		body := answer(t, p, keys[i]...).Body
		step := max(1, len(body)/25)
		for at := 0; at < len(body); at += step {
			bad := bytes.Clone(body)
			bad[at] ^= 1
			tokens, err := p.Finalize(bad)
			if err == nil && p.Kind() != privacypass.Generic || tokens != nil && err != nil {
				t.Errorf("%d: octet %d changed: %d tokens, %v", i, at, len(tokens), err)
			}
			if err != nil && !errors.Is(err, client.ErrResponse) && !errors.Is(err, privacypass.ErrMalformed) {
				t.Errorf("%d: octet %d changed: %v", i, at, err)
			}
			if err == nil && len(tokens) == p.Count() {
				t.Errorf("%d: octet %d changed without notice", i, at)
			}
		}
		for _, wrong := range [][]byte{nil, body[1:], append(bytes.Clone(body), 0)} {
			if _, err := p.Finalize(wrong); !errors.Is(err, privacypass.ErrMalformed) {
				t.Errorf("%d: answer of %d octets: %v", i, len(wrong), err)
			}
		}
	}
}

// TestAnswerOfAnotherLength: an issuer may neither drop nor add tokens in a batch.
func TestAnswerOfAnotherLength(t *testing.T) {
	k := generate(t, privacypass.VOPRFRistretto255)
	three, err := client.Amortized(rand.Reader, want(t, k), 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 4} {
		other, err := client.Amortized(rand.Reader, want(t, k), n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := three.Finalize(answer(t, other, k).Body); err == nil {
			t.Errorf("answer of %d for 3 tokens accepted", n)
		}
	}
	wants := []client.Want{want(t, k), want(t, k)}
	two, err := client.Generic(rand.Reader, wants)
	if err != nil {
		t.Fatal(err)
	}
	one, err := client.Generic(rand.Reader, wants[:1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Finalize(answer(t, one, k).Body); !errors.Is(err, client.ErrResponse) {
		t.Errorf("one entry for two: %v", err)
	}
	p384 := generate(t, privacypass.VOPRFP384)
	swapped, err := client.Generic(rand.Reader, []client.Want{want(t, p384), want(t, k)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Finalize(answer(t, swapped, p384, k).Body); !errors.Is(err, client.ErrResponse) {
		t.Errorf("entry of another type: %v", err)
	}
}

func TestWantsAreChecked(t *testing.T) {
	k := generate(t, privacypass.VOPRFRistretto255)
	good := want(t, k)
	otherType := *good.Challenge
	otherType.TokenType = privacypass.VOPRFP384
	for name, w := range map[string]client.Want{
		"nothing":           {},
		"no challenge":      {Key: good.Key},
		"no key":            {Challenge: good.Challenge},
		"type of challenge": {Key: good.Key, Challenge: &otherType},
		"invalid challenge": {Key: good.Key, Challenge: &privacypass.TokenChallenge{TokenType: k.TokenType()}},
		"salt for a VOPRF":  {Key: good.Key, Challenge: good.Challenge, ZeroSalt: true},
	} {
		if _, err := client.Single(rand.Reader, w); !errors.Is(err, client.ErrWant) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := client.Generic(rand.Reader, []client.Want{good, w}); !errors.Is(err, client.ErrWant) {
			t.Errorf("%s in a batch: %v", name, err)
		}
	}
	for _, n := range []int{-1, 0, privacypass.MaxAmortized + 1} {
		if _, err := client.Amortized(rand.Reader, good, n); !errors.Is(err, privacypass.ErrBatchSize) {
			t.Errorf("%d tokens: %v", n, err)
		}
	}
	if _, err := client.Generic(rand.Reader, nil); !errors.Is(err, privacypass.ErrBatchSize) {
		t.Errorf("empty batch: %v", err)
	}
	for n := range 32 + 64 { // nonce and scalar
		if _, err := client.Single(io.LimitReader(rand.Reader, int64(n)), good); !errors.Is(err, client.ErrRandom) {
			t.Errorf("random source of %d octets: %v", n, err)
		}
	}
	rsa := generate(t, privacypass.BlindRSA)
	if _, err := client.Amortized(rand.Reader, want(t, rsa), 2); !errors.Is(err, privacypass.ErrTokenType) {
		t.Errorf("amortized blind RSA: %v", err)
	}
}

func TestParsePublicKey(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		b := generate(t, typ).PublicKey()
		for n := range b {
			if _, err := client.ParsePublicKey(typ, b[:n]); !errors.Is(err, client.ErrKey) {
				t.Errorf("%v: prefix of %d octets: %v", typ, n, err)
			}
		}
		for name, bad := range map[string][]byte{"trailing octet": append(bytes.Clone(b), 0), "zeros": make([]byte, len(b)), "ones": bytes.Repeat([]byte{0xff}, len(b))} {
			if _, err := client.ParsePublicKey(typ, bad); !errors.Is(err, client.ErrKey) {
				t.Errorf("%v: %s: %v", typ, name, err)
			}
		}
	}
	if _, err := client.ParsePublicKey(0xDA7A, nil); !errors.Is(err, privacypass.ErrTokenType) {
		t.Errorf("%v", err)
	}
}

// TestPendingPrintsNothing: no verb shows nonces or blinds.
func TestPendingPrintsNothing(t *testing.T) {
	ps, _ := pendings(t)
	for i, p := range ps {
		var out strings.Builder
		holder := struct{ p *client.Pending }{p}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&out, verb, holder)
			fmt.Fprintf(&out, verb, p)
			fmt.Fprintf(&out, verb, *p)
		}
		secrets := p.Export().Reveal()
		for at := len(secrets) - 16; at > len(secrets)-512 && at > 0; at-- {
			part := secrets[at : at+16]
			for _, leak := range []string{string(part), hex.EncodeToString(part), " " + strings.Trim(fmt.Sprint(part), "[]") + " "} {
				if !bytes.Equal(part, make([]byte, 16)) && strings.Contains(out.String(), leak) {
					t.Fatalf("%d: output holds octets %d of the state", i, at)
				}
			}
		}
	}
}
