package wallet_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/client/wallet"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

const (
	batch = 4
	mark  = 3
)

var errLost = errors.New("connection lost")

// rig is an issuer that answers repetition with its first reply, a service with
// a ledger, and the place of a wallet.
type rig struct {
	t         *testing.T
	challenge *privacypass.TokenChallenge
	ledger    storagetest.Ledger
	cfg       wallet.Config

	mu      sync.Mutex
	keys    []issuer.Key // newest first
	replies map[string][]byte
	charged int     // tokens issued, repetitions not counted
	before  []error // what Fetch fails with before issuing, call by call
	after   []error // and after
	asked   [][]byte
}

func newRig(t *testing.T, tokenType privacypass.TokenType) *rig {
	t.Helper()
	r := &rig{t: t, replies: make(map[string][]byte)}
	r.challenge = &privacypass.TokenChallenge{
		TokenType: tokenType, IssuerName: "issuer.example", OriginInfo: []string{"ds.example"},
	}
	var err error
	r.ledger, err = storagetest.NewReferenceSite().Open()
	check(t, err)
	key := make([]byte, wallet.KeySize)
	rand.Read(key)
	r.cfg = wallet.Config{Path: filepath.Join(t.TempDir(), "wallet"), Key: secret.New(key), Fetcher: r}
	r.rotate()
	return r
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// rotate adds a key, as the newest.
func (r *rig) rotate() {
	r.t.Helper()
	key, err := issuer.GenerateKey(r.challenge.TokenType, rand.Reader)
	check(r.t, err)
	r.mu.Lock()
	r.keys = append([]issuer.Key{key}, r.keys...)
	r.mu.Unlock()
	check(r.t, r.ledger.OpenEpoch(r.t.Context(), tokens.Epoch{KeyID: key.ID(), Capacity: 1000}))
}

// retire takes away the oldest key.
func (r *rig) retire() { r.keys = r.keys[:len(r.keys)-1] }

func (r *rig) source() wallet.Source {
	s := wallet.Source{Challenge: r.challenge, Batch: batch, Mark: mark}
	for _, key := range r.keys {
		public, err := client.ParsePublicKey(key.TokenType(), key.PublicKey())
		check(r.t, err)
		s.Keys = append(s.Keys, public)
	}
	return s
}

// open opens the wallet and tells it its source.
func (r *rig) open() *wallet.Wallet {
	r.t.Helper()
	w, err := wallet.Open(r.cfg)
	check(r.t, err)
	r.t.Cleanup(func() { w.Close() })
	check(r.t, w.Use(tokens.Send, r.source()))
	return w
}

// filled opens the wallet and fetches a batch.
func (r *rig) filled() *wallet.Wallet {
	r.t.Helper()
	w := r.open()
	check(r.t, w.Refill(r.t.Context()))
	if n := w.Count(tokens.Send); n != batch {
		r.t.Fatalf("%d tokens after a refill", n)
	}
	return w
}

func pop(errs *[]error) (err error) {
	if len(*errs) > 0 {
		err, *errs = (*errs)[0], (*errs)[1:]
	}
	return err
}

// Fetch is the issuer.
func (r *rig) Fetch(_ context.Context, _ tokens.Class, kind privacypass.Kind, body []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, body)
	if err := pop(&r.before); err != nil {
		return nil, err
	}
	reply, ok := r.replies[string(body)]
	if !ok {
		i, err := issuer.New(issuer.Config{Rand: rand.Reader}, r.keys...)
		if err != nil {
			return nil, err
		}
		request, err := i.Parse(kind, body)
		if err != nil {
			return nil, errors.Join(wallet.ErrRefused, err)
		}
		response, err := request.Issue()
		if err != nil {
			return nil, err
		}
		reply = response.Body
		r.replies[string(body)] = reply
		r.charged += response.Issued
	}
	return reply, pop(&r.after)
}

// compose makes a request of the tokens that it holds, and of a text.
func compose(text string) func([]*privacypass.Token) ([]byte, error) {
	return func(held []*privacypass.Token) ([]byte, error) {
		request := []byte{byte(len(held))}
		for _, token := range held {
			b, err := token.Marshal()
			if err != nil {
				return nil, err
			}
			request = append(request, b...)
		}
		return append(request, text...), nil
	}
}

// serve is the service: it takes a request apart, verifies and spends.
func (r *rig) serve(request []byte) (tokens.Outcome, error) {
	r.t.Helper()
	var keys []verify.Key
	for _, key := range r.keys {
		k, err := checker(key)
		check(r.t, err)
		keys = append(keys, k)
	}
	set, err := verify.NewKeySet(r.challenge.IssuerName, keys...)
	check(r.t, err)
	expected, err := verify.Expect(r.challenge)
	check(r.t, err)
	params, err := r.challenge.TokenType.Params()
	check(r.t, err)
	digest := sha256.Sum256(request)
	var outcome tokens.Outcome
	rest := request[1:]
	for range int(request[0]) {
		token, err := privacypass.ParseToken(rest[:params.TokenSize()])
		check(r.t, err)
		rest = rest[params.TokenSize():]
		redeemed, err := set.Verify(token, expected)
		check(r.t, err)
		if outcome, err = r.ledger.Spend(r.t.Context(), redeemed, digest); err != nil {
			return 0, err
		}
	}
	return outcome, nil
}

func checker(key issuer.Key) (verify.Key, error) {
	if key.TokenType() == privacypass.BlindRSA {
		return verify.NewBlindRSA(key.PublicKey())
	}
	return private.NewKey(key.Marshal())
}

// wantServed sends the request and checks how it was taken.
func (r *rig) wantServed(request []byte, want tokens.Outcome) {
	r.t.Helper()
	outcome, err := r.serve(request)
	if err != nil || outcome != want {
		r.t.Fatalf("outcome %d, %v; want %d", outcome, err, want)
	}
}

// sameAsked checks that all requests to the issuer were the same.
func (r *rig) sameAsked(n int) {
	r.t.Helper()
	if len(r.asked) != n {
		r.t.Fatalf("%d requests to the issuer, want %d", len(r.asked), n)
	}
	for _, request := range r.asked {
		if !bytes.Equal(request, r.asked[0]) {
			r.t.Fatal("a request was repeated with other octets")
		}
	}
}
