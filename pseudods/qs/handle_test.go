package qs_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// request makes a request as a client does.
func (r *rig) request(op wire.Operation, body mls.Marshaler, sign *mls.SignatureKey, change func(*wire.Request)) *wire.Request {
	r.Helper()
	req := &wire.Request{RecipientDomain: qsDomain, Operation: op, ExpiresAt: uint64(time.Now().Unix()) + 60, Nonce: [16]byte(random[[]byte](16))}
	if body != nil {
		b, err := mls.Marshal(body)
		r.must(err)
		req.Body = b
	}
	if sign != nil {
		req.Auth.Type = wire.AuthQueue
	}
	if change != nil {
		change(req)
	}
	if req.Auth.Type != wire.AuthNone && sign != nil {
		tbs, err := req.TBS()
		r.must(err)
		req.Auth.Signature, err = sign.SignWithLabel(wire.SignatureLabel, tbs)
		r.must(err)
	}
	return req
}

// handle sends a request through its encoding.
func (r *rig) handle(req *wire.Request, answer mls.Unmarshaler) error {
	r.Helper()
	encoded, err := mls.Marshal(req)
	r.must(err)
	parsed, err := wire.ParseRequest(encoded, 1<<20)
	r.must(err)
	body, err := r.service.Handle(r.ctx, parsed, wire.Digest(encoded))
	if err == nil && answer != nil {
		r.must(mls.Unmarshal(body, answer))
	}
	return err
}

func (r *rig) wantCode(what string, err error, code wire.Code) {
	r.Helper()
	if !errors.Is(err, &wire.Error{Code: code}) {
		r.Errorf("%s: got %v, want code %d", what, err, code)
	}
}

func pay(r *wire.Request) { r.Tokens = [][]byte{random[[]byte](8)} }

// TestOperations goes through every operation by signed or paid requests alone.
func TestOperations(t *testing.T) {
	r := newRig(t, nil)
	o := r.newOwner(wire.QueueSettings{})
	o.sign = r.newSigner()
	var keys wire.AddressKeys
	r.must(r.handle(r.request(wire.OpAddressKeys, nil, nil, nil), &keys))
	if len(keys) != 1 || keys[0].Key.ID() != r.cfg.Keys.Published()[0].Key.ID() {
		t.Fatalf("address keys %v", keys)
	}
	create := r.request(wire.OpCreateQueue, o.creation(wire.QueueSettings{MaxEntries: 1 << 31}), o.sign, pay)
	var info wire.QueueInfo
	for range 2 { // an identical retry is answered again
		r.must(r.handle(create, &info))
	}
	if info.Queue != wire.QueueIDOf(o.sign.Public()) || info.Settings.MaxEntries != 10_000 || info.Settings.TTLDays != 30 {
		t.Fatalf("created %+v", info)
	}
	o.queue = info.Queue
	r.must(r.handle(r.request(wire.OpConfigureQueue, &wire.QueueInfo{Queue: o.queue, Settings: wire.QueueSettings{Version: 1, MaxEntries: 7}}, o.sign, nil), &info))
	if info.Settings.MaxEntries != 7 {
		t.Fatalf("configured %+v", info)
	}
	g := r.newGroup(o)
	g.send(long("hello", 1000))
	var page wire.QueuePage
	r.must(r.handle(r.request(wire.OpReadQueue, &wire.ReadQueue{Queue: o.queue, Wait: 1}, o.sign, nil), &page))
	if len(page.Entries) != 1 || !page.Empty {
		t.Fatalf("page %+v", page)
	}
	opened := seal.NewReader(o.segments, o.queue).Open(&page)
	r.must(opened[0].Err)
	item := opened[0].Item
	var payloads wire.Payloads
	r.must(r.handle(r.request(wire.OpFetchPayloads, &wire.FetchPayloads{Tickets: []wire.Ticket{*item.Ticket}}, nil, nil), &payloads))
	if len(payloads) != 1 || len(payloads[0]) != 1024+16 {
		t.Fatalf("%d payloads", len(payloads))
	}
	r.must(r.handle(r.request(wire.OpAckQueue, &wire.AckQueue{Queue: o.queue, Upto: 1, Tickets: []wire.Ticket{*item.Ticket}}, o.sign, nil), nil))
	r.must(r.handle(r.request(wire.OpRevokeAddress, &wire.RevokeAddress{Queue: o.queue, Address: item.Address}, o.sign, nil), nil))
	g.deliver(g.delivery([]byte("no")), wire.Revoked)

	poolSign := r.newSigner()
	publish := &wire.PublishKeyPackages{PoolKey: [32]byte(poolSign.Public()), Kind: wire.PoolGroup, Batch: 1, KeyPackages: []wire.PublishedKeyPackage{keyPackage()}}
	pool := wire.PoolIDOf(poolSign.Public())
	r.wantCode("a pool for free", r.handle(r.request(wire.OpPublishKeyPackages, publish, poolSign, nil), nil), wire.CodeTokenRequired)
	first := r.request(wire.OpPublishKeyPackages, publish, poolSign, pay)
	var status wire.PoolStatus
	for range 2 {
		r.must(r.handle(first, &status))
	}
	publish.First, publish.Last = 1, true
	publish.KeyPackages = []wire.PublishedKeyPackage{keyPackage()}
	r.must(r.handle(r.request(wire.OpPublishKeyPackages, publish, poolSign, nil), &status)) // only its creation costs
	if status != (wire.PoolStatus{Batch: 1, Left: 2}) {
		t.Fatalf("status %+v", status)
	}
	token := contactToken()
	r.must(r.handle(r.request(wire.OpAllowContact, &wire.AllowContact{Pool: pool, Contact: token.Hash(pool), Allow: true}, poolSign, nil), nil))
	fetch := &wire.FetchKeyPackage{Pool: pool, Contact: token}
	r.wantCode("a KeyPackage for free", r.handle(r.request(wire.OpGroupPackages, fetch, nil, nil), nil), wire.CodeTokenRequired)
	var got sealedKeyPackage
	r.must(r.handle(r.request(wire.OpGroupPackages, fetch, nil, pay), &got))
	r.wantCode("the other pool", r.handle(r.request(wire.OpConnectionPackages, fetch, nil, pay), nil), wire.CodeExhausted)
	offer := &wire.ConnectionRequest{Address: g.members[0].address.Sealed, Offer: []byte("offer")}
	r.wantCode("an offer for free", r.handle(r.request(wire.OpConnectionRequest, offer, nil, nil), nil), wire.CodeTokenRequired)
	r.must(r.handle(r.request(wire.OpConnectionRequest, offer, nil, pay), nil))
	for range 2 {
		r.must(r.handle(r.request(wire.OpDeletePool, &wire.DeletePool{PoolKey: [32]byte(poolSign.Public())}, poolSign, nil), nil))
		r.must(r.handle(r.request(wire.OpDeleteQueue, &wire.DeleteQueue{OwnerKey: [32]byte(o.sign.Public())}, o.sign, nil), nil))
	}
	g.deliver(g.delivery([]byte("no")), wire.UnknownAddress)
	r.wantCode("a queue that is gone", r.handle(r.request(wire.OpReadQueue, &wire.ReadQueue{Queue: o.queue}, o.sign, nil), nil), wire.CodeNotAllowed)
	for _, op := range []wire.Operation{wire.OpDeliver, wire.OpSendMessage, wire.Operation(0x010C), 0} {
		r.wantCode("not for clients of this service", r.handle(r.request(op, nil, nil, nil), nil), wire.CodeMalformed)
	}
}

// TestINV03Requests: nothing is done for a request that is meant for others,
// stale, repeated or not signed by the right key.
func TestINV03Requests(t *testing.T) {
	r := newRig(t, nil)
	o := r.newOwner(wire.QueueSettings{})
	other := r.newSigner()
	body := &wire.QueueInfo{Queue: o.queue, Settings: wire.QueueSettings{Version: 9, MaxEntries: 3}}
	configure := func(change func(*wire.Request)) *wire.Request {
		return r.request(wire.OpConfigureQueue, body, o.sign, change)
	}
	now := uint64(time.Now().Unix())
	for name, c := range map[string]struct {
		request *wire.Request
		code    wire.Code
	}{
		"other recipient":            {configure(func(r *wire.Request) { r.RecipientDomain = "ds.example" }), wire.CodeWrongRecipient},
		"expired":                    {configure(func(r *wire.Request) { r.ExpiresAt = now - 2 }), wire.CodeStale},
		"far ahead":                  {configure(func(r *wire.Request) { r.ExpiresAt = now + 3600 }), wire.CodeStale},
		"endless":                    {configure(func(r *wire.Request) { r.ExpiresAt = 1<<64 - 1 }), wire.CodeStale},
		"another's key":              {r.request(wire.OpConfigureQueue, body, other, nil), wire.CodeNotAllowed},
		"nobody":                     {r.request(wire.OpConfigureQueue, body, nil, nil), wire.CodeNotAllowed},
		"wrong type":                 {configure(func(r *wire.Request) { r.Auth = wire.Auth{Type: wire.AuthUser, KeyID: []byte{1}} }), wire.CodeNotAllowed},
		"no such queue":              {r.request(wire.OpConfigureQueue, &wire.QueueInfo{}, o.sign, nil), wire.CodeNotAllowed},
		"tokens for what is free":    {configure(pay), wire.CodeTokenInvalid},
		"group state key":            {configure(func(r *wire.Request) { r.GroupStateKey = secret.New(make([]byte, 32)) }), wire.CodeMalformed},
		"no body":                    {r.request(wire.OpConfigureQueue, nil, o.sign, nil), wire.CodeMalformed},
		"signed but for nobody":      {r.request(wire.OpAddressKeys, nil, o.sign, nil), wire.CodeMalformed},
		"creation by another key":    {r.request(wire.OpCreateQueue, o.creation(wire.QueueSettings{}), other, pay), wire.CodeNotAllowed},
		"publication by another key": {r.request(wire.OpPublishKeyPackages, &wire.PublishKeyPackages{Kind: wire.PoolGroup, Batch: 1}, other, pay), wire.CodeNotAllowed},
		"read by another key":        {r.request(wire.OpReadQueue, &wire.ReadQueue{Queue: o.queue}, other, nil), wire.CodeNotAllowed},
		"ack by another key":         {r.request(wire.OpAckQueue, &wire.AckQueue{Queue: o.queue, Upto: 9}, other, nil), wire.CodeNotAllowed},
		"revocation by another key":  {r.request(wire.OpRevokeAddress, &wire.RevokeAddress{Queue: o.queue}, other, nil), wire.CodeNotAllowed},
		"deletion by another key":    {r.request(wire.OpDeleteQueue, &wire.DeleteQueue{OwnerKey: [32]byte(o.sign.Public())}, other, nil), wire.CodeNotAllowed},
	} {
		r.wantCode(name, r.handle(c.request, nil), c.code)
	}
	q, err := r.cfg.Store.Queue(r.ctx, o.queue)
	r.must(err)
	if q.Settings.Version != 0 {
		t.Fatal("a refused request was carried out")
	}
	if len(r.paid.ops) != 0 {
		t.Fatalf("payment taken for %v", r.paid.ops)
	}

	first := configure(nil)
	r.must(r.handle(first, nil))
	sameNonce := configure(func(r *wire.Request) { r.Nonce, r.ExpiresAt = first.Nonce, r.ExpiresAt+1 })
	r.wantCode("nonce of another request", r.handle(sameNonce, nil), wire.CodeReplayed)
	read := r.request(wire.OpReadQueue, &wire.ReadQueue{Queue: o.queue}, o.sign, nil)
	r.must(r.handle(read, nil))
	r.wantCode("a read again", r.handle(read, nil), wire.CodeReplayed)

	// A restart forgets nonces; an old request then changes nothing.
	body.Settings.Version, body.Settings.MaxEntries = 10, 4
	r.must(r.handle(configure(nil), nil))
	r.restart()
	r.must(r.handle(first, nil))
	if q, err = r.cfg.Store.Queue(r.ctx, o.queue); err != nil || q.Settings.MaxEntries != 4 {
		t.Fatalf("a replay set %+v, %v", q.Settings, err)
	}
	paid := r.request(wire.OpCreateQueue, o.creation(wire.QueueSettings{}), o.sign, pay)
	r.must(r.handle(paid, nil))
	again := r.request(wire.OpCreateQueue, o.creation(wire.QueueSettings{}), o.sign, func(r *wire.Request) { r.Tokens = paid.Tokens })
	r.wantCode("a token twice", r.handle(again, nil), wire.CodeTokenSpent)
}

// FuzzBody: whatever a body is, the answer is typed and nothing panics.
func FuzzBody(f *testing.F) {
	r := newRig(f, func(c *qs.Config) { c.MaxWait = time.Nanosecond })
	o := r.newOwner(wire.QueueSettings{})
	for op := wire.OpCreateQueue; op.IsQueue(); op++ {
		f.Add(uint16(op), []byte{})
		f.Add(uint16(op), append([]byte{}, o.queue[:]...))
	}
	f.Fuzz(func(t *testing.T, op uint16, body []byte) {
		for _, sign := range []*mls.SignatureKey{nil, o.sign} {
			in := *r
			in.TB = t
			req := in.request(wire.Operation(op), raw(body), sign, pay)
			var refused *wire.Error
			if _, err := r.service.Handle(r.ctx, req, [32]byte{}); err != nil && !errors.As(err, &refused) {
				t.Fatal(err)
			}
		}
	})
}

type raw []byte

func (b raw) MarshalTLS(w *tlscodec.Writer) { w.Raw(b) }

// TestHandleStream checks a request to stream as one to read, and answers it by
// encoded pages.
func TestHandleStream(t *testing.T) {
	r := newRig(t, func(c *qs.Config) { c.MaxWait = 20 * time.Millisecond })
	alice := r.newOwner(wire.QueueSettings{})
	bob := r.newOwner(wire.QueueSettings{})
	read := &wire.ReadQueue{Queue: alice.queue}
	stream := func(req *wire.Request, want int) (pages []wire.QueuePage, end error) {
		encoded, err := mls.Marshal(req)
		r.must(err)
		for body, err := range r.service.HandleStream(r.ctx, req, wire.Digest(encoded)) {
			if err != nil {
				return pages, err
			}
			var page wire.QueuePage
			r.must(mls.Unmarshal(body, &page))
			if pages = append(pages, page); len(pages) == want {
				break
			}
		}
		return pages, nil
	}
	good := r.request(wire.OpReadQueue, read, alice.sign, nil)
	pages, err := stream(good, 3)
	if err != nil || len(pages) != 3 || !pages[2].Empty {
		t.Errorf("%d pages, %v", len(pages), err)
	}
	_, err = stream(good, 1)
	r.wantCode("the same request again", err, wire.CodeReplayed)
	for name, tc := range map[string]struct {
		req  *wire.Request
		want wire.Code
	}{
		"another's queue": {r.request(wire.OpReadQueue, read, bob.sign, nil), wire.CodeNotAllowed},
		"another domain":  {r.request(wire.OpReadQueue, read, alice.sign, func(q *wire.Request) { q.RecipientDomain = dsDomain }), wire.CodeWrongRecipient},
		"expired":         {r.request(wire.OpReadQueue, read, alice.sign, func(q *wire.Request) { q.ExpiresAt = 1 }), wire.CodeStale},
		"no read":         {r.request(wire.OpAckQueue, &wire.AckQueue{Queue: alice.queue}, alice.sign, nil), wire.CodeMalformed},
		"a token":         {r.request(wire.OpReadQueue, read, alice.sign, func(q *wire.Request) { q.Tokens = [][]byte{{1}} }), wire.CodeTokenInvalid},
	} {
		_, err := stream(tc.req, 1)
		r.wantCode(name, err, tc.want)
	}
	newer := make(chan error)
	go func() {
		_, err := stream(r.request(wire.OpReadQueue, read, alice.sign, nil), 1000)
		newer <- err
	}()
	for err := error(nil); err == nil; time.Sleep(time.Millisecond) { // until one takes over
		select {
		case err = <-newer:
			r.wantCode("an older reader", err, wire.CodeReplaced)
		default:
			_, got := stream(r.request(wire.OpReadQueue, read, alice.sign, nil), 1)
			if !errors.Is(got, &wire.Error{Code: wire.CodeReplaced}) { // by the other, which comes in just now
				r.must(got)
			}
		}
	}
}

// sealedKeyPackage is an answer that is not encoded further.
type sealedKeyPackage []byte

func (s *sealedKeyPackage) UnmarshalTLS(r *tlscodec.Reader) { *s = r.Rest() }
