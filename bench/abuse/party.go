package abuse

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/pseudods/pseudods/mls"
	issuers "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Side is on which side somebody is.
type Side int

// The sides.
const (
	Honest Side = iota
	Attacker
)

// Party is an account with the machine and the network addresses behind it. All
// requests of a client go through its party: defences see what it shows, and what
// it costs is counted there. One process uses a party at a time.
type Party struct {
	w    *World
	p    *Provider
	side Side
	// Addresses are used in turn. Cores share the work of proofs.
	Addresses []string
	Cores     float64
	// Patience is for how long a request that is told to wait is repeated: clients
	// of the SDK wait, attackers rather decide by themselves.
	Patience time.Duration

	// Read is how many entries of its queue the party has read.
	Read int

	last  uint64 // entry
	key   ed25519.PrivateKey
	purse purse
	next  int // address
	// disowned: the attester does not know the account any more.
	disowned bool
}

// patience is that of honest clients: a little less than a request lives.
const patience = 100 * time.Second

// Party registers an account at the provider.
func (p *Provider) Party(side Side) (*Party, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	who := &Party{w: p.w, p: p, side: side, Cores: 4, key: key}
	who.purse.party = who
	if side == Honest {
		who.Addresses = []string{fmt.Sprintf("192.0.2.%d", len(p.w.parties)+1)}
		who.Patience = patience
	} else {
		b := p.w.Budget
		who.Addresses, who.Cores = b.addresses(), float64(b.Cores)/float64(b.Accounts)
		p.w.accounts++
	}
	p.accounts[[ed25519.PublicKeySize]byte(public)] = struct{}{}
	p.w.parties = append(p.w.parties, who)
	return who, nil
}

// Account is the account's name, as a provider that demands it would see it.
func (q *Party) Account() string { return hex.EncodeToString(q.key[ed25519.SeedSize:]) }

// Attestor proves the account to the attester.
func (q *Party) Attestor() issuers.Attestor { return issuers.AccountKey(q.key) }

// HTTP returns a client whose requests are the party's, without any network.
func (q *Party) HTTP() *http.Client { return &http.Client{Transport: transport{q}} }

// carry sends an encoded request to the services of a provider, and repeats it as
// long as the party is patient if it is told to wait.
func (q *Party) carry(ctx context.Context, p *Provider, encoded []byte) ([]byte, error) {
	for waited := time.Duration(0); ; {
		answer, err := q.exchange(ctx, p, encoded)
		if err != nil {
			return nil, err
		}
		var r wire.Response
		if mls.Unmarshal(answer, &r) != nil || r.Err == nil || r.Err.Code != wire.CodeRateLimited {
			return answer, nil
		}
		pause := max(time.Second, time.Duration(r.Err.RetryAfter)*time.Second)
		if waited += pause; waited > q.Patience {
			return answer, nil
		}
		if err := q.w.clock.sleep(pause); err != nil {
			return nil, err
		}
	}
}

// exchange sends an encoded request once. The answer is an encoded response. What it
// waits for goes on beyond the end of a session: the SDK, which does not know of
// sessions, would try again in real time.
func (q *Party) exchange(ctx context.Context, p *Provider, encoded []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, spent := q.w, &q.w.spent[q.side]
	spent.octets += len(encoded)
	r, err := wire.ParseRequest(encoded, len(encoded))
	if err != nil {
		return q.served(func() []byte { return p.DS.Handle(ctx, encoded) }), nil
	}
	seen := &Request{Now: w.clock.Now(), Address: q.Addresses[q.next%len(q.Addresses)], Operation: r.Operation, Object: objectOf(r),
		Leaf: -1, Tokens: len(r.Tokens), Octets: len(encoded), Digest: wire.Digest(encoded)}
	q.next++
	if r.Auth.Type == wire.AuthLeaf {
		seen.Leaf = int64(r.Auth.Leaf)
	}
	t := w.defence.Traits()
	if t.Demands == Identity {
		seen.Account = q.Account()
	}
	w.learn(t.Demands, seen)
	if _, limited := sortOf(r.Operation); t.Work > 0 && limited {
		seen.Proof = prove(seen.Digest)
		spent.work += t.Work
		if err := w.clock.sleep(time.Duration(float64(t.Work) / min(q.Cores, maxParallel))); err != nil {
			return nil, err
		}
		seen.Now = w.clock.Now()
	}
	if r.Operation == wire.OpReadQueue {
		if err := q.await(ctx, p, r); err != nil {
			return nil, err
		}
	}
	answer := q.served(func() []byte {
		if v := w.defence.Judge(seen); v.Refuse {
			return refusal(&wire.Error{Code: wire.CodeRateLimited, RetryAfter: uint32((v.RetryAfter + time.Second - 1) / time.Second)})
		}
		return p.handle(ctx, r, encoded)
	})
	var response wire.Response
	if mls.Unmarshal(answer, &response) == nil && response.Err == nil {
		spent.tokens += len(r.Tokens)
		if r.Operation == wire.OpReadQueue {
			q.note(response.Body)
		}
	}
	spent.received += len(answer)
	spent.requests++
	return answer, nil
}

// maxParallel is on how many cores one proof is looked for at a time.
const maxParallel = 64

// served runs the server's part of an exchange and counts its processor time.
func (q *Party) served(f func() []byte) []byte {
	before := processor()
	answer := f()
	used := processor() - before
	q.w.spent[q.side].server += used
	q.w.serving += used
	return answer
}

// note counts the entries of a page of the queue.
func (q *Party) note(body []byte) {
	var page wire.QueuePage
	if mls.Unmarshal(body, &page) != nil {
		return
	}
	for _, e := range page.Entries {
		if e.Seq > q.last {
			q.last = e.Seq
			q.Read++
		}
	}
}

// await lets virtual time pass until the queue has an entry, or the read has waited
// for as long as it wants.
func (q *Party) await(ctx context.Context, p *Provider, r *wire.Request) error {
	var body wire.ReadQueue
	if mls.Unmarshal(r.Body, &body) != nil {
		return nil
	}
	for waited := time.Duration(0); waited < time.Duration(body.Wait)*time.Second; waited += 100 * time.Millisecond {
		if page, err := p.QS.Read(ctx, body.Queue, body.After, 1, 0); err != nil || len(page.Entries) > 0 {
			return nil
		}
		if err := q.w.clock.sleep(100 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// objectOf returns what a request names, as the beginning of its body.
func objectOf(r *wire.Request) (o [16]byte) {
	if r.Operation != wire.OpAddressKeys && r.Operation != wire.OpFetchPayloads && r.Operation != wire.OpCreateQueue && r.Operation != wire.OpConnectionRequest {
		copy(o[:], r.Body)
	}
	return o
}

// Do sends a request and decodes the body of the answer into out, which may be nil.
// A refusal is a [*wire.Error].
func (q *Party) Do(ctx context.Context, p *Provider, encoded []byte, out mls.Unmarshaler) error {
	answer, err := q.carry(ctx, p, encoded)
	if err != nil {
		return err
	}
	var r wire.Response
	if err := mls.Unmarshal(answer, &r); err != nil {
		return err
	}
	if r.Err != nil {
		return r.Err
	}
	if out == nil {
		return nil
	}
	return mls.Unmarshal(r.Body, out)
}

// Refused reports whether an error is a refusal of the service or of the defence,
// and when to try again; zero for not at all.
func Refused(err error) (retry time.Duration, refused bool) {
	e := new(wire.Error)
	if !errors.As(err, &e) {
		return 0, false
	}
	return time.Duration(e.RetryAfter) * time.Second, true
}

// transport is a party's way to all providers, in process.
type transport struct{ *Party }

type partyKey struct{}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var p *Provider
	for _, other := range t.w.providers {
		if other.host == r.URL.Host {
			p = other
		}
	}
	if p == nil {
		return nil, fmt.Errorf("abuse: there is no provider at %q", r.URL.Host)
	}
	ctx := context.WithValue(r.Context(), partyKey{}, t.Party)
	inner := r.Clone(ctx)
	if r.Body != nil {
		defer r.Body.Close()
	}
	w := &recorder{header: http.Header{}}
	if strings.HasSuffix(r.URL.Path, "/token-request") {
		spent := &t.w.spent[t.side]
		spent.octets += int(max(0, r.ContentLength))
		t.served(func() []byte { p.handler.ServeHTTP(w, inner); return nil })
		spent.received += w.body.Len()
	} else {
		p.handler.ServeHTTP(w, inner)
	}
	if w.err != nil {
		return nil, w.err
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return &http.Response{Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r}, ctx.Err()
}

// recorder keeps a response.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	err    error
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// service is a provider's services as the party that is in the context reaches
// them.
type service struct{ *Provider }

// Handle implements httpapi.Service.
func (s service) Handle(ctx context.Context, encoded []byte) []byte {
	who, ok := ctx.Value(partyKey{}).(*Party)
	if !ok {
		return refusal(&wire.Error{Code: wire.CodeInternal})
	}
	answer, err := who.carry(ctx, s.Provider, encoded)
	if err != nil {
		// The run or the session is over. The SDK would repeat the request after any
		// other refusal, in real time.
		return refusal(&wire.Error{Code: wire.CodeRateLimited, RetryAfter: 60})
	}
	var r wire.Response
	if mls.Unmarshal(answer, &r) == nil && r.Err != nil && r.Err.Code == wire.CodeRateLimited {
		// The party has waited in virtual time. The SDK would do so in real time.
		r.Err.RetryAfter = max(r.Err.RetryAfter, 60)
		return refusal(r.Err)
	}
	return answer
}
