package account_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// ping is a request to the delivery service that costs a token, and its answer.
func (p *person) ping() (*account.Call, *wire.Accepted) {
	signer, err := p.NewPersona(nil)
	p.must(err)
	answer := new(wire.Accepted)
	return &account.Call{
		Domain: domain, Operation: wire.OpSendMessage, Body: &wire.GroupMessage{Group: wire.GroupID{7}, Message: []byte("message")},
		GroupStateKey: secret.New(make([]byte, wire.GroupStateKeySize)), Auth: wire.Auth{Type: wire.AuthLeaf, Leaf: 3},
		Sign:   func(tbs []byte) ([]byte, error) { return signer.Signer.SignWithLabel(wire.SignatureLabel, tbs) },
		Answer: answer,
	}, answer
}

// pong has the delivery service answer requests that bring what their operation
// costs.
func (s *site) pong() {
	s.messages.answer = func(r *wire.Request) ([]byte, error) {
		if err := s.pay(r); err != nil {
			return nil, err
		}
		return mls.Marshal(&wire.Accepted{Epoch: 4, Sequence: 9})
	}
}

// pay checks the tokens of a request to the delivery service.
func (s *site) pay(r *wire.Request) error {
	var brought []*privacypass.Token
	for _, b := range r.Tokens {
		t, err := privacypass.ParseToken(b)
		if err != nil {
			return refused(wire.CodeTokenInvalid)
		}
		brought = append(brought, t)
	}
	name := r.Operation.PriceName()
	if _, _, priced := s.messages.till.Price(name); !priced && len(brought) > 0 {
		name = wire.PriceBurst
	}
	_, err := s.messages.till.Verify(name, brought)
	switch {
	case errors.Is(err, tokens.ErrTokenRequired):
		return refused(wire.CodeTokenRequired)
	case err != nil:
		return refused(wire.CodeTokenInvalid)
	}
	return nil
}

func TestCallPaysAndSigns(t *testing.T) {
	s := newSite(t)
	s.pong()
	alice := s.join("alice")
	var seen *wire.Request
	answer := s.messages.answer
	s.messages.answer = func(r *wire.Request) ([]byte, error) {
		seen = r
		return answer(r)
	}
	c, got := alice.ping()
	c.Auth.Signature = []byte("is not looked at")
	s.must(alice.Call(s.ctx, c))
	if got.Epoch != 4 || got.Sequence != 9 {
		t.Fatalf("answer %+v", got)
	}
	if seen.RecipientDomain != domain || seen.Auth.Leaf != 3 || len(seen.Tokens) != 1 || seen.GroupStateKey.IsZero() ||
		seen.ExpiresAt < uint64(s.clock().Unix())+100 || seen.ExpiresAt > uint64(s.clock().Unix())+121 {
		t.Fatalf("request %+v", seen)
	}
	if alice.Outstanding() != 0 || alice.TokenCount(tokens.Send) != batchSize-1 {
		t.Fatalf("%d outstanding, %d tokens", alice.Outstanding(), alice.TokenCount(tokens.Send))
	}
	c.Answer = nil
	s.must(alice.Call(s.ctx, c))

	// What is free brings no tokens, unless that is wanted.
	c.Operation = wire.OpUpdateQueueAddress
	s.must(alice.Call(s.ctx, c))
	if len(seen.Tokens) != 0 {
		t.Fatal("a free request was paid")
	}
	c.Pay = true
	s.must(alice.Call(s.ctx, c))
	if len(seen.Tokens) != 2 {
		t.Fatalf("%d tokens for a burst", len(seen.Tokens))
	}

	failed := errors.New("no key")
	c.Sign = func([]byte) ([]byte, error) { return nil, failed }
	s.want(alice.Call(s.ctx, c), failed)
	c.Body = &wire.UpdateAddress{}
	s.want(alice.Call(s.ctx, c), mls.ErrEncode)
}

// TestLostOnTheWay loses the request or the answer: the same octets are sent again,
// and the service acts on one request.
func TestLostOnTheWay(t *testing.T) {
	s := newSite(t)
	s.pong()
	alice := s.join("alice")
	for _, after := range []bool{false, true} {
		s.messages.digests = nil
		c, got := alice.ping()
		alice.net.lose(once(httpapi.PathGroupOperation, !after, after))
		s.must(alice.Call(s.ctx, c))
		var sent [][]byte
		for _, b := range alice.net.sent {
			if r, err := wire.ParseRequest(b, len(b)); err == nil && r.Operation == wire.OpSendMessage {
				sent = append(sent, b)
			}
		}
		if len(sent) != 2 || !bytes.Equal(sent[0], sent[1]) || len(s.messages.digests) != 1 || got.Epoch != 4 || alice.Outstanding() != 0 {
			t.Fatalf("after=%v: %d sent, %d seen, %d outstanding", after, len(sent), len(s.messages.digests), alice.Outstanding())
		}
	}
}

// TestUncertain ends a call before it is answered: the request stays outstanding, is
// sent again by the next start, the same octets, and dropped when it has expired.
func TestUncertain(t *testing.T) {
	s := newSite(t)
	s.pong()
	alice := s.join("alice")
	uncertain := func() {
		t.Helper()
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		alice.net.lose(unanswered(httpapi.PathGroupOperation, cancel))
		c, _ := alice.ping()
		err := alice.Call(ctx, c)
		var u *account.UncertainError
		if !errors.As(err, &u) || !errors.Is(err, account.ErrUncertain) || !errors.Is(err, httpapi.ErrTransport) {
			t.Fatalf("got %v", err)
		}
		if ahead := u.Until.Sub(s.clock()); ahead < 90*time.Second || ahead > 2*time.Minute {
			t.Fatalf("uncertain for %v", ahead)
		}
		if alice.Outstanding() != 1 {
			t.Fatalf("%d outstanding", alice.Outstanding())
		}
	}
	uncertain()
	s.want(alice.Refill(s.ctx), account.ErrUncertain) // still no answer
	alice.net.lose(nil)
	alice.restart()
	if len(s.messages.digests) != 1 || alice.Outstanding() != 0 {
		t.Fatalf("%d seen, %d outstanding", len(s.messages.digests), alice.Outstanding())
	}
	uncertain()
	alice.net.lose(func(string) (bool, bool) { return false, false })
	s.sleep(3 * time.Minute)
	s.must(alice.Refill(s.ctx))
	for _, b := range alice.net.sent {
		if r, err := wire.ParseRequest(b, len(b)); err == nil && r.Operation == wire.OpSendMessage {
			t.Fatal("a request was sent after its end")
		}
	}
	if alice.Outstanding() != 0 {
		t.Fatal("an expired request is outstanding")
	}
}

// TestRefusals come back as they are, and cost the tokens that were shown.
func TestRefusals(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	s.messages.answer = func(*wire.Request) ([]byte, error) { return nil, &wire.Error{Code: wire.CodeWrongEpoch, Epoch: 8} }
	c, _ := alice.ping()
	var wrong *wire.Error
	if err := alice.Call(s.ctx, c); !errors.As(err, &wrong) || wrong.Epoch != 8 || errors.Is(err, account.ErrUncertain) {
		t.Fatalf("got %v", err)
	}
	if alice.Outstanding() != 0 {
		t.Fatal("a refused request is outstanding")
	}
	s.messages.answer = func(*wire.Request) ([]byte, error) { return []byte{1, 2, 3}, nil }
	s.want(alice.Call(s.ctx, c), account.ErrService)
	// A service that fails may have acted.
	s.messages.answer = func(*wire.Request) ([]byte, error) { return nil, refused(wire.CodeInternal) }
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	seen := unanswered(httpapi.PathGroupOperation, cancel)
	alice.net.lose(func(path string) (bool, bool) { seen(path); return false, false })
	err := alice.Call(ctx, c)
	s.want(err, account.ErrUncertain)
	s.want(err, refused(wire.CodeInternal))
}

// TestPricesChange: a service that asks for more than its document says has it read
// again, once.
func TestPricesChange(t *testing.T) {
	s := newSite(t)
	s.pong()
	alice := s.join("alice")
	asked := 0
	answer := s.messages.answer
	s.messages.answer = func(r *wire.Request) ([]byte, error) {
		if asked++; asked < 2 {
			return nil, refused(wire.CodeTokenInvalid)
		}
		return answer(r)
	}
	s.sleep(time.Minute)
	c, _ := alice.ping()
	s.must(alice.Call(s.ctx, c))
	asked = -10
	s.want(alice.Call(s.ctx, c), refused(wire.CodeTokenInvalid))
	if asked != -8 {
		t.Fatalf("asked %d times", asked+10)
	}
}

// TestSpentTokens: those of a wallet that was put back are given up for others.
func TestSpentTokens(t *testing.T) {
	s := newSite(t)
	s.pong()
	alice := s.join("alice")
	asked := 0
	answer := s.messages.answer
	s.messages.answer = func(r *wire.Request) ([]byte, error) {
		if asked++; asked < 4 {
			return nil, refused(wire.CodeTokenSpent)
		}
		return answer(r)
	}
	c, _ := alice.ping()
	s.must(alice.Call(s.ctx, c))
	asked = -1000
	s.want(alice.Call(s.ctx, c), refused(wire.CodeTokenSpent))
	if n := asked + 1000; n < 10 || n > 50 {
		t.Fatalf("asked %d times", n)
	}
}

// TestManyCallsAtOnce share a wallet whose batches are smaller than they are many.
func TestManyCallsAtOnce(t *testing.T) {
	s := newSite(t)
	s.pong()
	alice := s.join("alice")
	var wg sync.WaitGroup
	for range 5 * batchSize {
		c, _ := alice.ping()
		wg.Go(func() {
			if err := alice.Call(s.ctx, c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := alice.Outstanding(); n != 0 {
		t.Errorf("%d outstanding", n)
	}
}

// TestCloseEndsCalls that wait for an answer.
func TestCloseEndsCalls(t *testing.T) {
	s := newSite(t)
	s.pong()
	alice := s.join("alice")
	alice.net.lose(always(httpapi.PathGroupOperation))
	c, _ := alice.ping()
	go func() {
		time.Sleep(300 * time.Millisecond)
		if err := alice.Account.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := alice.Call(s.ctx, c); err == nil {
		t.Fatal("a closed account has an answer")
	}
}

// TestHostileDocuments: none is used that is not the domain's, or leads away from
// encryption.
func TestHostileDocuments(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	var document string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(document)) }))
	defer server.Close()
	alice.stop()
	alice.openVault()
	alice.cfg.Providers["evil.example"] = server.URL
	alice.cfg.Providers["clear.example"] = "http://clear.example"
	alice.cfg.Providers["away.example"] = "http://127.0.0.1:1"
	var err error
	alice.Account, err = account.Open(s.ctx, alice.cfg)
	s.must(err)
	for name, d := range map[string]string{
		"empty":        "",
		"other domain": `{"domain": "home.example", "qs": "https://evil.example"}`,
		"in clear":     `{"domain": "evil.example", "qs": "http://evil.example"}`,
		"query":        `{"domain": "evil.example", "ds": "https://evil.example?x=y"}`,
		"huge":         `{"domain": "evil.example"` + strings.Repeat(" ", 1<<20) + `}`,
	} {
		document = d
		if _, err := alice.Provider(s.ctx, "evil.example"); !errors.Is(err, account.ErrProvider) {
			t.Errorf("%s: %v", name, err)
		}
	}
	document = `{"domain": "evil.example"}`
	if _, err := alice.Provider(s.ctx, "evil.example"); err != nil {
		t.Error(err)
	}
	s.want(alice.Call(s.ctx, &account.Call{Domain: "evil.example", Operation: wire.OpVerificationKey}), account.ErrProvider)
	for _, bad := range []string{"clear.example", "", "a/b", "user@host", "UPPER.example", "host:80", "-", strings.Repeat("a", 254)} {
		if _, err := alice.Provider(s.ctx, bad); !errors.Is(err, account.ErrProvider) {
			t.Errorf("domain %q: %v", bad, err)
		}
	}
	if _, err := alice.Provider(s.ctx, "away.example"); !errors.Is(err, httpapi.ErrTransport) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestNoTokens(t *testing.T) {
	s := newSite(t)
	s.pong()
	alice := s.join("alice")
	alice.net.lose(func(path string) (bool, bool) { return strings.HasSuffix(path, "/token-request"), false })
	c, _ := alice.ping()
	s.want(alice.Call(s.ctx, c), account.ErrNoTokens)
	s.want(alice.Refill(s.ctx), account.ErrNoTokens)
	alice.net.lose(nil)
	s.must(alice.Call(s.ctx, c))
}

// TestAnswerThatCannotBeFiled: the disk fails when a request is answered. The answer
// counts, and what was spent is put away later.
func TestAnswerThatCannotBeFiled(t *testing.T) {
	s := newSite(t)
	s.pong()
	alice := s.join("alice")
	path, _, err := alice.v.File("wallet/" + domain)
	s.must(err)
	answer, aside := s.messages.answer, path+"-aside"
	s.messages.answer = func(r *wire.Request) ([]byte, error) {
		s.must(os.Rename(path, aside))
		s.must(os.Mkdir(path, 0o700)) // which no file replaces
		return answer(r)
	}
	c, got := alice.ping()
	s.must(alice.Call(s.ctx, c))
	if got.Sequence != 9 {
		t.Fatalf("answer %+v", got)
	}
	s.messages.answer = answer
	s.must(os.Remove(path))
	s.must(os.Rename(aside, path))
	s.must(alice.Refill(s.ctx))
	if n := alice.Outstanding(); n != 0 {
		t.Fatalf("%d outstanding", n)
	}
}
