package privacypass_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
)

type octets []byte

func (o *octets) UnmarshalText(b []byte) (err error) {
	*o, err = hex.DecodeString(string(b))
	return err
}

func load(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// issuance is one token or one amortized batch of a vector file.
type issuance struct {
	Type           octets
	SkS, PkS       octets
	TokenChallenge octets `json:"token_challenge"`
	Nonce, Blind   octets
	Salt           octets
	Nonces, Blinds []octets
	Request        octets `json:"token_request"`
	Response       octets `json:"token_response"`
	Token          octets
	Tokens         []octets
}

func (v *issuance) tokenType() privacypass.TokenType {
	t, _ := privacypass.ChallengeType(v.TokenChallenge)
	return t
}

// list returns nonces, blinds and tokens as lists in either case.
func (v *issuance) list() (nonces, blinds, tokens []octets) {
	if v.Nonces != nil {
		return v.Nonces, v.Blinds, v.Tokens
	}
	return []octets{v.Nonce}, []octets{v.Blind}, []octets{v.Token}
}

// key returns the issuance key.
func (v *issuance) key(t *testing.T) issuer.Key {
	t.Helper()
	body := []byte(v.SkS)
	if block, _ := pem.Decode(body); block != nil {
		body = block.Bytes
	}
	typ := v.tokenType()
	k, err := issuer.ParseKey(secret.New(append([]byte{byte(typ >> 8), byte(typ)}, body...)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.PublicKey(), v.PkS) {
		t.Fatalf("public key %x", k.PublicKey())
	}
	return k
}

func (v *issuance) want(t *testing.T) client.Want {
	t.Helper()
	k, err := client.ParsePublicKey(v.tokenType(), v.PkS)
	if err != nil {
		t.Fatal(err)
	}
	c, err := privacypass.ParseTokenChallenge(v.TokenChallenge)
	if err != nil {
		t.Fatal(err)
	}
	return client.Want{Key: k, Challenge: c, ZeroSalt: c.TokenType == privacypass.BlindRSA && len(v.Salt) == 0}
}

// random returns the octets that lead the client to the vector's secrets.
func (v *issuance) random() []byte {
	var b []byte
	nonces, blinds, _ := v.list()
	for i := range nonces {
		b = append(b, nonces[i]...)
		switch v.tokenType() {
		case privacypass.VOPRFRistretto255: // 64 octets, reduced
			b = append(append(b, blinds[i]...), make([]byte, 32)...)
		case privacypass.VOPRFP384:
			b = append(b, blinds[i]...)
		case privacypass.BlindRSA:
			b = append(append(b, v.Salt...), v.Blind...)
		}
	}
	return b
}

// redeem verifies each token under the issuer's key.
func (v *issuance) redeem(t *testing.T, name string) {
	t.Helper()
	var k verify.Key
	var err error
	if v.tokenType() == privacypass.BlindRSA {
		k, err = verify.NewBlindRSA(v.PkS, verify.PSS, verify.PSSZero)
	} else {
		k, err = private.NewKey(v.key(t).Marshal())
	}
	if err != nil {
		t.Fatal(err)
	}
	c := v.want(t).Challenge
	set, err := verify.NewKeySet(c.IssuerName, k)
	if err != nil {
		t.Fatal(err)
	}
	e, err := verify.Expect(c)
	if err != nil {
		t.Fatal(err)
	}
	_, _, tokens := v.list()
	for i, b := range tokens {
		token, err := privacypass.ParseToken(b)
		if err != nil {
			t.Fatal(err)
		}
		r, err := set.Verify(token, e)
		if err != nil || r.Nonce() != token.Nonce || r.KeyID() != privacypass.KeyIDOf(v.PkS) {
			t.Errorf("%s: token %d: %v", name, i, err)
		}
		if back, err := token.Marshal(); err != nil || !bytes.Equal(back, b) {
			t.Errorf("%s: token %d encodes as %x, %v", name, i, back, err)
		}
	}
}

// checkTokens finalizes an answer and compares the tokens with the vector's.
func checkTokens(t *testing.T, name string, p *client.Pending, response []byte, want []octets) {
	t.Helper()
	tokens, err := p.Finalize(response)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if len(tokens) != len(want) {
		t.Fatalf("%s: %d tokens", name, len(tokens))
	}
	for i, token := range tokens {
		if b, err := token.Marshal(); err != nil || !bytes.Equal(b, want[i]) {
			t.Errorf("%s: token %d is %x, %v", name, i, b, err)
		}
	}
}

// run plays both sides of a vector: the client makes the vector's request and
// opens the vector's answer; the issuer answers the vector's request, which the
// client opens to the same tokens; the verifier accepts them.
func run(t *testing.T, name string, kind privacypass.Kind, request, response []byte, parts []issuance) {
	t.Helper()
	var random []byte
	var wants []client.Want
	var keys []issuer.Key
	var tokens []octets
	for i := range parts {
		v := &parts[i]
		random = append(random, v.random()...)
		wants = append(wants, v.want(t))
		if k := v.key(t); !slices.ContainsFunc(keys, func(o issuer.Key) bool { return o.ID() == k.ID() }) {
			keys = append(keys, k)
		}
		_, _, list := v.list()
		tokens = append(tokens, list...)
		v.redeem(t, name)
	}
	var p *client.Pending
	var err error
	r := io.Reader(bytes.NewReader(random))
	switch kind {
	case privacypass.Single:
		p, err = client.Single(r, wants[0])
	case privacypass.Amortized:
		p, err = client.Amortized(r, wants[0], len(tokens))
	case privacypass.Generic:
		p, err = client.Generic(r, wants)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !bytes.Equal(p.Request(), request) {
		t.Errorf("%s: request %x", name, p.Request())
	}
	checkTokens(t, name, p, response, tokens)
	restored, err := client.Restore(p.Export())
	if err != nil || !bytes.Equal(restored.Request(), request) {
		t.Fatalf("%s: restored: %v", name, err)
	}

	iss, err := issuer.New(issuer.Config{Rand: rand.Reader}, keys...)
	if err != nil {
		t.Fatal(err)
	}
	q, err := iss.Parse(kind, request)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	answer, err := q.Issue()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if answer.Status != 200 || answer.Issued != len(tokens) || q.Count() != len(tokens) || len(answer.Body) != len(response) {
		t.Errorf("%s: status %d, %d issued, %d octets", name, answer.Status, answer.Issued, len(answer.Body))
	}
	if parts[0].tokenType() == privacypass.BlindRSA && kind == privacypass.Single && !bytes.Equal(answer.Body, response) {
		t.Errorf("%s: response %x", name, answer.Body)
	}
	checkTokens(t, name, restored, answer.Body, tokens)
}

func TestIssuanceVectors(t *testing.T) {
	for file, kind := range map[string]privacypass.Kind{
		"rfc9578_type1.json": privacypass.Single, "rfc9578_type2.json": privacypass.Single,
		"rfc9578_type1_go.json": privacypass.Single, "rfc9578_type2_go.json": privacypass.Single,
		"type5_single_go.json":    privacypass.Single,
		"amortized_type1_go.json": privacypass.Amortized, "amortized_type5_go.json": privacypass.Amortized,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			var vs []issuance
			load(t, file, &vs)
			if len(vs) != 5 {
				t.Fatalf("%d vectors", len(vs))
			}
			for i, v := range vs {
				run(t, file+" "+string(rune('1'+i)), kind, v.Request, v.Response, vs[i:i+1])
			}
		})
	}
}

func TestGenericBatchVectors(t *testing.T) {
	for _, file := range []string{"generic_batched_go.json", "generic_batched_v6_go_ts.json"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			var vs []struct {
				Issuance []issuance
				Request  octets `json:"token_request"`
				Response octets `json:"token_response"`
			}
			load(t, file, &vs)
			if len(vs) != 5 {
				t.Fatalf("%d vectors", len(vs))
			}
			for i, v := range vs {
				run(t, file+" "+string(rune('1'+i)), privacypass.Generic, v.Request, v.Response, v.Issuance)
			}
		})
	}
}
