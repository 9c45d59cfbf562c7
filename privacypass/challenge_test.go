package privacypass_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
)

// TestRFC9577TokenVectors builds each challenge and token of RFC 9577, Appendix
// A.1 from its fields and compares what the authenticator covers.
func TestRFC9577TokenVectors(t *testing.T) {
	for _, file := range []string{"token_challenge_redemption_go.json", "auth_scheme_token_v14.json"} {
		var vs []struct {
			TokenType               octets `json:"token_type"`
			IssuerName              octets `json:"issuer_name"`
			RedemptionContext       octets `json:"redemption_context"`
			OriginInfo              octets `json:"origin_info"`
			Nonce                   octets
			KeyID                   octets `json:"token_key_id"`
			TokenAuthenticatorInput octets `json:"token_authenticator_input"`
		}
		load(t, file, &vs)
		if len(vs) != 5 {
			t.Fatalf("%s: %d vectors", file, len(vs))
		}
		for i, v := range vs {
			c := &privacypass.TokenChallenge{
				TokenType:  privacypass.TokenType(v.TokenType[0])<<8 | privacypass.TokenType(v.TokenType[1]),
				IssuerName: string(v.IssuerName), RedemptionContext: v.RedemptionContext,
			}
			if len(v.OriginInfo) > 0 {
				c.OriginInfo = strings.Split(string(v.OriginInfo), ",")
			}
			digest, err := c.Digest()
			if err != nil {
				t.Fatal(err)
			}
			token := privacypass.Token{
				TokenType: c.TokenType, Nonce: [32]byte(v.Nonce), ChallengeDigest: digest, KeyID: privacypass.KeyID(v.KeyID),
				Authenticator: make([]byte, 256),
			}
			if in := token.AuthenticatorInput(); !bytes.Equal(in[:], v.TokenAuthenticatorInput) {
				t.Errorf("%s %d: %x", file, i, in)
			}
			b := encode(&token)
			if !bytes.HasPrefix(b, v.TokenAuthenticatorInput) {
				t.Errorf("%s %d: token does not begin with what its authenticator covers", file, i)
			}
			back, err := privacypass.ParseToken(b)
			if err != nil || back.Nonce != token.Nonce || back.ChallengeDigest != digest || back.KeyID != token.KeyID {
				t.Errorf("%s %d: round trip: %v", file, i, err)
			}
		}
	}
}

func TestChallengeRules(t *testing.T) {
	valid := privacypass.TokenChallenge{TokenType: privacypass.VOPRFRistretto255, IssuerName: "issuer.example"}
	for name, change := range map[string]func(*privacypass.TokenChallenge){
		"no issuer":             func(c *privacypass.TokenChallenge) { c.IssuerName = "" },
		"issuer not printable":  func(c *privacypass.TokenChallenge) { c.IssuerName = "a\nb" },
		"issuer not ASCII":      func(c *privacypass.TokenChallenge) { c.IssuerName = "é" },
		"issuer too long":       func(c *privacypass.TokenChallenge) { c.IssuerName = strings.Repeat("a", 1<<16) },
		"context of 1 octet":    func(c *privacypass.TokenChallenge) { c.RedemptionContext = []byte{1} },
		"context of 33 octets":  func(c *privacypass.TokenChallenge) { c.RedemptionContext = make([]byte, 33) },
		"empty origin":          func(c *privacypass.TokenChallenge) { c.OriginInfo = []string{"a", ""} },
		"origin with comma":     func(c *privacypass.TokenChallenge) { c.OriginInfo = []string{"a,b"} },
		"origin with space":     func(c *privacypass.TokenChallenge) { c.OriginInfo = []string{"a b"} },
		"origins over the size": func(c *privacypass.TokenChallenge) { c.OriginInfo = []string{strings.Repeat("a", 1<<16)} },
	} {
		c := valid
		change(&c)
		if _, err := c.Marshal(); !errors.Is(err, privacypass.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Digest(); err == nil {
			t.Errorf("%s: has a digest", name)
		}
	}
	// The same faults in octets.
	for name, b := range map[string]string{
		"context of 1 octet": "0005" + "000161" + "01ff" + "0000",
		"empty issuer":       "0005" + "0000" + "00" + "0000",
		"empty origin":       "0005" + "000161" + "00" + "0003612c2c",
	} {
		raw, _ := hex.DecodeString(b)
		if _, err := privacypass.ParseTokenChallenge(raw); !errors.Is(err, privacypass.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAllowsOrigin(t *testing.T) {
	c := privacypass.TokenChallenge{OriginInfo: []string{"foo.example", "Bar.example"}}
	for name, want := range map[string]bool{"foo.example": true, "FOO.example": true, "bar.example": true, "oo.example": false, "": false} {
		if c.AllowsOrigin(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	if c.OriginInfo = nil; !c.AllowsOrigin("any.example") {
		t.Error("a challenge for any origin refuses one")
	}
}

func TestKeyID(t *testing.T) {
	id := privacypass.KeyIDOf([]byte("key"))
	if id.Truncated() != id[31] {
		t.Error("Truncated is not the last octet")
	}
	for i := range id {
		other := id
		other[i] ^= 1
		if id.Equal(other) {
			t.Errorf("identifiers that differ in octet %d are equal", i)
		}
	}
	if !id.Equal(privacypass.KeyIDOf([]byte("key"))) {
		t.Error("equal identifiers differ")
	}
}

func TestExtensions(t *testing.T) {
	// The list of draft-ietf-privacypass-public-metadata-issuance's test vector.
	raw, _ := hex.DecodeString("000700010003010203")
	e, err := privacypass.ParseExtensions(raw)
	if err != nil || len(e) != 1 || e[0].Type != 1 || !bytes.Equal(e[0].Data, []byte{1, 2, 3}) {
		t.Errorf("%v, %v", e, err)
	}
	unsorted, _ := hex.DecodeString("0008" + "00020000" + "00010000")
	if _, err := privacypass.ParseExtensions(unsorted); !errors.Is(err, privacypass.ErrMalformed) {
		t.Errorf("list out of order: %v", err)
	}
	if _, err := (privacypass.Extensions{{2, nil}, {1, nil}}).Marshal(); !errors.Is(err, privacypass.ErrInvalid) {
		t.Errorf("encoding a list out of order: %v", err)
	}
	if _, err := (privacypass.Extensions{{1, make([]byte, 65535)}}).Marshal(); !errors.Is(err, privacypass.ErrInvalid) {
		t.Errorf("encoding a list that is too long: %v", err)
	}
}

func TestGenericStatus(t *testing.T) {
	some := &privacypass.TokenResponse{TokenType: privacypass.BlindRSA, Evaluated: make([]byte, 256)}
	for _, tc := range []struct {
		responses []*privacypass.TokenResponse
		status    int
	}{
		{[]*privacypass.TokenResponse{some, some}, 200},
		{[]*privacypass.TokenResponse{some, nil}, 206},
		{[]*privacypass.TokenResponse{nil, nil}, 400},
		{nil, 400},
	} {
		s := privacypass.GenericResponse{Responses: tc.responses}
		if s.Status() != tc.status {
			t.Errorf("%v: status %d", tc.responses, s.Status())
		}
	}
}
