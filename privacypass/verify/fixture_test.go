package verify_test

import (
	"crypto/rand"
	"io"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
)

const issuerName = "issuer.example"

// fixture is one issuance key with all that stands around it.
type fixture struct {
	key       issuer.Key
	verifying verify.Key
	set       *verify.KeySet
	challenge *privacypass.TokenChallenge
	expected  verify.Expected
	random    io.Reader // of clients
}

func newFixture(t testing.TB, k issuer.Key, variants ...verify.Variant) *fixture {
	t.Helper()
	f := &fixture{key: k, random: rand.Reader, challenge: &privacypass.TokenChallenge{
		TokenType: k.TokenType(), IssuerName: issuerName, OriginInfo: []string{"origin.example"},
	}}
	var err error
	if k.TokenType() == privacypass.BlindRSA {
		f.verifying, err = verify.NewBlindRSA(k.PublicKey(), variants...)
	} else {
		f.verifying, err = private.NewKey(k.Marshal())
	}
	if err != nil {
		t.Fatal(err)
	}
	if f.set, err = verify.NewKeySet(issuerName, f.verifying); err != nil {
		t.Fatal(err)
	}
	if f.expected, err = verify.Expect(f.challenge); err != nil {
		t.Fatal(err)
	}
	return f
}

// issue obtains a token through client and issuer.
func (f *fixture) issue(t testing.TB) *privacypass.Token { return f.issueWith(t, false) }

func (f *fixture) issueWith(t testing.TB, zeroSalt bool) *privacypass.Token {
	t.Helper()
	k, err := client.ParsePublicKey(f.key.TokenType(), f.key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	p, err := client.Single(f.random, client.Want{Key: k, Challenge: f.challenge, ZeroSalt: zeroSalt})
	if err != nil {
		t.Fatal(err)
	}
	iss, err := issuer.New(issuer.Config{Rand: rand.Reader}, f.key)
	if err != nil {
		t.Fatal(err)
	}
	q, err := iss.Parse(privacypass.Single, p.Request())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := q.Issue()
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := p.Finalize(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return tokens[0]
}
