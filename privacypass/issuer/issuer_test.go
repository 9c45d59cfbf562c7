package issuer_test

import (
	"crypto/rand"
	"testing"

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

func newIssuer(t testing.TB, keys ...issuer.Key) *issuer.Issuer {
	t.Helper()
	i, err := issuer.New(issuer.Config{Rand: rand.Reader}, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// want asks for a token of k for a challenge of its type.
func want(t testing.TB, k issuer.Key) client.Want {
	t.Helper()
	public, err := client.ParsePublicKey(k.TokenType(), k.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return client.Want{Key: public, Challenge: &privacypass.TokenChallenge{
		TokenType: k.TokenType(), IssuerName: "issuer.example", OriginInfo: []string{"origin.example"},
	}}
}

func single(t testing.TB, k issuer.Key) *client.Pending {
	t.Helper()
	p, err := client.Single(rand.Reader, want(t, k))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
