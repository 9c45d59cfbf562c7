package tokens_test

import (
	"crypto/rand"
	"io"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
	"github.com/pseudods/pseudods/tokens"
)

// line is an issuer of real tokens of the class "send" and a till that takes
// them.
type line struct {
	issuer *issuer.Issuer
	want   client.Want
	till   *tokens.Till
}

func newLine(t testing.TB) *line {
	t.Helper()
	list, err := tokens.ParsePriceList([]byte(`{"classes":{"send":{"issuer":"issuer.example","token-type":5}},` +
		`"prices":{"send-message":{"class":"send","count":1}}}`))
	check(t, err)
	origin := tokens.Origin{Name: "ds.example"}
	challenge, err := list.Challenge(tokens.Send, origin)
	check(t, err)
	key, err := issuer.GenerateKey(privacypass.VOPRFRistretto255, rand.Reader)
	check(t, err)
	l := &line{}
	l.issuer, err = issuer.New(issuer.Config{Rand: rand.Reader}, key)
	check(t, err)
	public, err := client.ParsePublicKey(key.TokenType(), key.PublicKey())
	check(t, err)
	l.want = client.Want{Key: public, Challenge: challenge}
	checker, err := private.NewKey(key.Marshal())
	check(t, err)
	l.till, err = tokens.NewTill(list, origin, map[tokens.Class][]verify.Key{tokens.Send: {checker}})
	check(t, err)
	return l
}

// issue returns n tokens, n at most 128.
func (l *line) issue(t testing.TB, random io.Reader, n int) []*privacypass.Token {
	t.Helper()
	pending, err := client.Amortized(random, l.want, n)
	check(t, err)
	request, err := l.issuer.Parse(pending.Kind(), pending.Request())
	check(t, err)
	response, err := request.Issue()
	check(t, err)
	made, err := pending.Finalize(response.Body)
	check(t, err)
	return made
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
