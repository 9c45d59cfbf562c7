package interop

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	issuer "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// provider is the server as a client in Go reaches it, with the client's tokens.
type provider struct {
	*testing.T
	doc    *httpapi.Provider
	ds, qs *httpapi.Client
	purse  map[tokens.Class][][]byte
}

func reach(t *testing.T, base string) *provider {
	t.Helper()
	response := must(http.Get(base + httpapi.PathProvider))
	defer response.Body.Close()
	doc := must(httpapi.ParseProvider(must(io.ReadAll(response.Body))))
	return &provider{t, doc, must(httpapi.NewClient(doc.DS, nil)), must(httpapi.NewClient(doc.QS, nil)), map[tokens.Class][][]byte{}}
}

// pay returns the tokens that an operation costs.
func (p *provider) pay(op wire.Operation) (out [][]byte) {
	price, ok := p.doc.Prices.Prices[op.PriceName()]
	if !ok {
		return nil
	}
	for len(p.purse[price.Class]) < price.Count {
		p.purse[price.Class] = append(p.purse[price.Class], p.fetch(price.Class)...)
	}
	out, p.purse[price.Class] = p.purse[price.Class][:price.Count], p.purse[price.Class][price.Count:]
	return out
}

// fetch gets a batch of tokens of a class.
func (p *provider) fetch(name tokens.Class) (out [][]byte) {
	ctx := p.Context()
	i := must(issuer.Discover(ctx, nil, p.doc.Issuer))
	class := must(i.Class(ctx, string(name)))
	key := must(class.Keys(privacypass.VOPRFRistretto255, time.Now()))[0]
	challenge := must(p.doc.Prices.Challenge(name, p.doc.Origin()))
	pending := must(client.Amortized(rand.Reader, client.Want{Key: key, Challenge: challenge}, class.Batch(8)))
	reply := must(class.Send(ctx, privacypass.Amortized, pending.Request(), time.Now(), issuer.ProofOfWork(rand.Reader)))
	for _, token := range must(pending.Finalize(reply)) {
		out = append(out, must(token.Marshal()))
	}
	return out
}

// ask sends a request and decodes the answer.
func (p *provider) ask(r *wire.Request, key *mls.SignatureKey, body mls.Marshaler, answer mls.Unmarshaler) error {
	p.Helper()
	r.RecipientDomain, r.Body, r.Tokens = p.doc.Domain, must(mls.Marshal(body)), p.pay(r.Operation)
	r.ExpiresAt = uint64(time.Now().Unix()) + 60
	rand.Read(r.Nonce[:])
	if key != nil {
		r.Auth.Signature = must(key.SignWithLabel(wire.SignatureLabel, must(r.TBS())))
	}
	to := p.ds
	if r.Operation.IsQueue() {
		to = p.qs
	}
	b, err := to.Do(context.Background(), r.Operation, must(mls.Marshal(r)))
	if err != nil {
		return err
	}
	return mls.Unmarshal(b, answer)
}
