package server

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestDeliveriesAgree: a delivery service hands the same deliveries to the queue
// service beside it and, over HTTP, to the one of another process. Reports and
// queues are the same.
func TestDeliveriesAgree(t *testing.T) {
	c := config(t)
	cheap(&c)
	s, _ := start(t, c)
	u := newUser(t, s.URL(DS))
	inside := &deliverer{domain: "localhost", own: s.qs.service}
	outside := &deliverer{domain: "localhost", ownURL: s.URL(QS), http: newHTTPClient(), signer: func() *mls.SignatureKey { return s.ds.keys[0] },
		count: func(string) {}, targets: map[string]*target{}}
	type result struct {
		reports  []wire.DeliveryReport
		errors   []bool
		messages []string
	}
	play := func(to *deliverer) (r result) {
		alice, bob := u.newOwner(wire.QueueSettings{}), u.newOwner(wire.QueueSettings{MaxEntries: 2})
		a, b, elsewhere := alice.join("localhost"), bob.join("localhost"), alice.join("other.example")
		revoked := alice.join("localhost")
		if err := u.send(wire.OpRevokeAddress, u.request(wire.OpRevokeAddress, &wire.RevokeAddress{Queue: alice.queue, Address: revoked.id}, alice.sign, nil), nil); err != nil {
			t.Fatal(err)
		}
		stranger := &member{sealed: a.sealed, binding: b.binding, secret: a.secret}
		first := messageTo([]byte("hello"), 1, a, b, elsewhere, revoked, stranger)
		for _, d := range []*wire.Delivery{
			first, first, // a repetition
			messageTo(bytes.Repeat([]byte("long "), 1000), 2, a, b), messageTo([]byte("bob is full"), 3, a, b),
			{}, {Payload: []byte{1}}, {Payload: make([]byte, 1<<20+1), Recipients: first.Recipients},
		} {
			report, err := to.Deliver(context.Background(), "localhost", d)
			r.reports, r.errors = append(r.reports, report), append(r.errors, err != nil)
		}
		r.messages = append(alice.receive(alice.read(0)), bob.receive(bob.read(0))...)
		return r
	}
	in, out := play(inside), play(outside)
	if len(in.messages) != 5 || in.reports[0][0] != wire.Delivered || in.reports[0][2] != wire.UnknownAddress || in.reports[0][3] != wire.Revoked || in.reports[3][1] != wire.Full {
		t.Errorf("in process: %v, %d messages", in.reports, len(in.messages))
	}
	for i := range in.reports {
		if !bytes.Equal(outcomes(in.reports[i]), outcomes(out.reports[i])) || in.errors[i] != out.errors[i] {
			t.Errorf("delivery %d: %v %v in process, %v %v over HTTP", i, in.reports[i], in.errors[i], out.reports[i], out.errors[i])
		}
	}
	for i := range in.messages {
		if in.messages[i] != out.messages[i] {
			t.Errorf("message %d differs", i)
		}
	}
}

func outcomes(r wire.DeliveryReport) (out []byte) {
	for _, o := range r {
		out = append(out, byte(o))
	}
	return out
}

// TestDeliveryRefused: only a service whose provider document names the key that
// signs may deliver, and only to its own addresses.
func TestDeliveryRefused(t *testing.T) {
	c := config(t)
	cheap(&c)
	s, _ := start(t, c)
	u := newUser(t, s.URL(DS))
	alice := u.newOwner(wire.QueueSettings{})
	m := alice.join("localhost")
	send := func(key *mls.SignatureKey, change func(*wire.Request)) error {
		r := &wire.Request{RecipientDomain: "localhost", Operation: wire.OpDeliver, Body: must(mls.Marshal(messageTo([]byte("x"), 1, m))),
			ExpiresAt: uint64(time.Now().Unix()) + 60, Auth: wire.Auth{Type: wire.AuthService}}
		id := keyID(key.Public())
		r.Auth.KeyID = id[:]
		if change != nil {
			change(r)
		}
		if r.Auth.Type != wire.AuthNone {
			r.Auth.Signature = must(key.SignWithLabel(wire.SignatureLabel, must(r.TBS())))
		}
		return u.send(wire.OpDeliver, must(mls.Marshal(r)), nil)
	}
	own, stranger := s.ds.keys[0], newSigner()
	for name, tc := range map[string]struct {
		key    *mls.SignatureKey
		change func(*wire.Request)
		want   wire.Code
	}{
		"a stranger":            {stranger, nil, wire.CodeNotAllowed},
		"under another's name":  {stranger, func(r *wire.Request) { id := keyID(own.Public()); r.Auth.KeyID = id[:] }, wire.CodeNotAllowed},
		"nobody":                {own, func(r *wire.Request) { r.Auth = wire.Auth{} }, wire.CodeNotAllowed},
		"as a queue's owner":    {own, func(r *wire.Request) { r.Auth = wire.Auth{Type: wire.AuthQueue} }, wire.CodeNotAllowed},
		"meant for another":     {own, func(r *wire.Request) { r.RecipientDomain = "other.example" }, wire.CodeWrongRecipient},
		"expired":               {own, func(r *wire.Request) { r.ExpiresAt = uint64(time.Now().Unix()) - 1 }, wire.CodeStale},
		"expiring too late":     {own, func(r *wire.Request) { r.ExpiresAt += 3600 }, wire.CodeStale},
		"with a token":          {own, func(r *wire.Request) { r.Tokens = [][]byte{{1}} }, wire.CodeMalformed},
		"with a key of a group": {own, func(r *wire.Request) { r.GroupStateKey = secret.New(make([]byte, 32)) }, wire.CodeMalformed},
		"no delivery":           {own, func(r *wire.Request) { r.Body = r.Body[:len(r.Body)-1] }, wire.CodeMalformed},
		"empty":                 {own, func(r *wire.Request) { r.Body = must(mls.Marshal(&wire.Delivery{})) }, wire.CodeTooLarge},
	} {
		u.wantCode(name, send(tc.key, tc.change), tc.want)
	}
	if page := alice.read(0); len(page.Entries) != 0 {
		t.Fatalf("%d entries came in", len(page.Entries))
	}
	for range 2 { // a repetition does nothing
		if err := send(own, nil); err != nil {
			t.Fatal(err)
		}
	}
	if page := alice.read(0); len(page.Entries) != 1 {
		t.Errorf("%d entries, want 1", len(page.Entries))
	}
}

// TestPeers: two providers exchange deliveries by what their documents say, and
// neither can deliver in the other's name.
func TestPeers(t *testing.T) {
	a, b := config(t), config(t)
	cheap(&b)
	a.Domain, b.Domain = "a.example", "b.example"
	left, _ := start(t, a)
	a.Peers, b.Peers = map[string]string{}, map[string]string{"a.example": left.URL(DS), "gone.example": "http://127.0.0.1:1"}
	right, _ := start(t, b)
	u := newUser(t, right.URL(DS))
	alice := u.newOwner(wire.QueueSettings{})
	bound, foreign := alice.join("a.example"), alice.join("b.example")
	d := &deliverer{domain: "a.example", http: newHTTPClient(), signer: func() *mls.SignatureKey { return left.ds.keys[0] },
		count: func(string) {}, targets: map[string]*target{},
		peers: map[string]*peer{"b.example": {domain: "b.example", base: right.URL(DS), http: newHTTPClient()},
			"liar.example": {domain: "liar.example", base: right.URL(DS), http: newHTTPClient()}}}
	report, err := d.Deliver(t.Context(), "b.example", messageTo([]byte("from a"), 1, bound, foreign))
	if err != nil || report[0] != wire.Delivered || report[1] != wire.UnknownAddress {
		t.Fatalf("%v, %v", report, err)
	}
	if got := alice.receive(alice.read(0)); len(got) != 1 || got[0] != "from a" {
		t.Errorf("received %q", got)
	}
	report, err = d.Deliver(t.Context(), "nobody.example", messageTo([]byte("x"), 2, bound))
	if err != nil || report[0] != wire.UnknownAddress {
		t.Errorf("a domain that is no peer: %v, %v", report, err)
	}
	if _, err := d.Deliver(t.Context(), "liar.example", messageTo([]byte("x"), 2, bound)); !errors.Is(err, errPeer) {
		t.Errorf("a document of another domain: %v", err)
	}
}

// TestCircuit: a queue service that fails is left alone for a while, then tried
// once.
func TestCircuit(t *testing.T) {
	now := time.Unix(0, 0)
	var q target
	for range breakAfter {
		if !q.enter(now) {
			t.Fatal("held back too early")
		}
		q.leave(false, now)
	}
	for pause := breakFor; pause <= 4*breakFor; pause *= 2 {
		if q.enter(now) || q.enter(now.Add(pause-1)) {
			t.Errorf("tried again within %v", pause)
		}
		now = now.Add(pause)
		if !q.enter(now) {
			t.Errorf("not tried after %v", pause)
		}
		if q.enter(now) {
			t.Errorf("tried twice at once after %v", pause)
		}
		q.leave(false, now)
	}
	for range 20 {
		now = now.Add(breakForAtMost)
		if !q.enter(now) {
			t.Fatal("a pause grows without end")
		}
		q.leave(false, now)
	}
	now = now.Add(breakForAtMost)
	q.enter(now)
	q.leave(true, now)
	for range 2 {
		if !q.enter(now) {
			t.Error("a success does not end it")
		}
	}
}

// besideSilent starts two providers, and returns the first of them and the senders of
// the second, which has it and one that never answers for peers.
func besideSilent(t *testing.T) (silent net.Listener, left *Server, s *senders) {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	a, b := config(t), config(t)
	a.Domain, b.Domain = "a.example", "b.example"
	left, _ = start(t, a)
	b.Peers = map[string]string{"0.example": "http://" + silent.Addr().String(), "a.example": left.URL(DS)}
	right, _ := start(t, b)
	return silent, left, right.qs.handler.senders
}

// TestSilentPeerDelaysNobody: a peer whose document does not come holds up no
// delivery of one that is known.
func TestSilentPeerDelaysNobody(t *testing.T) {
	silent, left, s := besideSilent(t)
	if _, err := s.peers["a.example"].document(t.Context(), documentAge); err != nil {
		t.Fatal(err)
	}
	d := &deliverer{signer: func() *mls.SignatureKey { return left.ds.keys[0] }}
	r := must(wire.ParseRequest(must(d.request("b.example", &wire.Delivery{Payload: []byte("x")})), 1<<20))
	stranger := *r
	stranger.Auth.KeyID = make([]byte, 32)
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() { _, err := s.authenticate(ctx, &stranger); asked <- err }() // waits for the silent peer
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if domains, err := s.authenticate(t.Context(), r); !slices.Equal(domains, []string{"a.example"}) || err != nil {
		t.Errorf("%q, %v", domains, err)
	}
	select {
	case err := <-asked:
		t.Errorf("the silent peer was not waited for: %v", err)
	default:
	}
	cancel()
	if err := <-asked; !errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
		t.Errorf("a stranger: %v", err)
	}
}

// TestSilentPeerDelaysNoNewcomer: a peer whose document does not come, and strangers
// that ask for it and leave, keep out no other peer that is not known yet.
func TestSilentPeerDelaysNoNewcomer(t *testing.T) {
	_, left, s := besideSilent(t)
	d := &deliverer{signer: func() *mls.SignatureKey { return left.ds.keys[0] }}
	r := must(wire.ParseRequest(must(d.request("b.example", &wire.Delivery{Payload: []byte("x")})), 1<<20))
	stranger := *r
	stranger.Auth.KeyID = make([]byte, 32)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.authenticate(gone, &stranger); err == nil {
		t.Error("a stranger is known")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var asking sync.WaitGroup
	defer asking.Wait()
	for range 8 {
		asking.Go(func() { s.authenticate(ctx, &stranger) })
	}
	defer cancel()
	if domains, err := s.authenticate(ctx, r); !slices.Equal(domains, []string{"a.example"}) || err != nil || ctx.Err() != nil {
		t.Errorf("%q, %v", domains, err)
	}
	silent := s.peers["0.example"]
	silent.mu.Lock()
	defer silent.mu.Unlock()
	if silent.fetching == nil {
		t.Error("the silent peer was waited for")
	}
}

// TestPeerNamesAnothersKey: a peer whose document names another's key has none of
// that one's deliveries fail.
func TestPeerNamesAnothersKey(t *testing.T) {
	a, b := config(t), config(t)
	cheap(&b)
	a.Domain, b.Domain = "a.example", "b.example"
	left, _ := start(t, a)
	doc := left.provider()
	doc.Domain = "0.example"
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(must(doc.Marshal())) }))
	defer liar.Close()
	b.Peers = map[string]string{"0.example": liar.URL, "a.example": left.URL(DS)}
	right, _ := start(t, b)
	for name, p := range right.qs.handler.senders.peers {
		if _, err := p.document(t.Context(), documentAge); err != nil {
			t.Fatal(name, err)
		}
	}
	u := newUser(t, right.URL(DS))
	alice := u.newOwner(wire.QueueSettings{})
	bound, foreign := alice.join("a.example"), alice.join("b.example")
	d := &deliverer{domain: "a.example", http: newHTTPClient(), signer: func() *mls.SignatureKey { return left.ds.keys[0] },
		count: func(string) {}, targets: map[string]*target{},
		peers: map[string]*peer{"b.example": {domain: "b.example", base: right.URL(DS), http: newHTTPClient()}}}
	report, err := d.Deliver(t.Context(), "b.example", messageTo([]byte("from a"), 1, foreign, bound))
	if err != nil || !slices.Equal(report, wire.DeliveryReport{wire.UnknownAddress, wire.Delivered}) {
		t.Fatalf("%v, %v", report, err)
	}
	if got := alice.receive(alice.read(0)); len(got) != 1 || got[0] != "from a" {
		t.Errorf("received %q", got)
	}
}
