package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/client"
)

func TestIssueEveryKind(t *testing.T) {
	f := newFixture(t, new(attester.Memory), allTypes...)
	var mixed []client.Want
	for _, tt := range append(allTypes, allTypes[:2]...) {
		mixed = append(mixed, f.want(t, "default", tt))
	}
	requests := map[string]*client.Pending{"generic": pending(t)(client.Generic(rand.Reader, mixed))}
	for _, tt := range allTypes {
		w := f.want(t, "default", tt)
		requests["single "+tt.String()] = pending(t)(client.Single(rand.Reader, w))
		if p, _ := tt.Params(); p.Amortized {
			requests["amortized "+tt.String()] = pending(t)(client.Amortized(rand.Reader, w, 5))
		}
	}
	for what, p := range requests {
		w := f.post("alice", p)
		status(t, w, 200)
		if w.Header().Get("Content-Type") != p.Kind().ResponseMediaType() || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", what, w.Header())
		}
		tokens, err := p.Finalize(w.Body.Bytes())
		if err != nil || len(tokens) != p.Count() {
			t.Errorf("%s: %d tokens, %v", what, len(tokens), err)
		}
		if again := f.post("alice", p); !bytes.Equal(again.Body.Bytes(), w.Body.Bytes()) || again.Code != 200 {
			t.Errorf("%s: repeated with other bytes", what)
		}
	}
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families {
		if m.GetName() == "ppissuer_tokens_issued_total" {
			total := 0.0
			for _, c := range m.GetMetric() {
				total += c.GetCounter().GetValue()
			}
			if total != 3+2*5+5 {
				t.Errorf("%v tokens counted", total)
			}
		}
	}
}

func TestAllowance(t *testing.T) {
	f := newFixture(t, new(attester.Memory), privacypass.VOPRFRistretto255)
	want := f.want(t, "default", privacypass.VOPRFRistretto255)
	batch := pending(t)(client.Amortized(rand.Reader, want, 100))
	first := f.post("alice", batch)
	status(t, first, 200)
	more := pending(t)(client.Single(rand.Reader, want))
	refused := f.post("alice", more)
	status(t, refused, 429)
	if refused.Header().Get("Retry-After") != "43200" {
		t.Errorf("Retry-After %q at noon", refused.Header().Get("Retry-After"))
	}
	status(t, f.post("bob", more), 200)
	if again := f.post("alice", batch); !bytes.Equal(again.Body.Bytes(), first.Body.Bytes()) {
		t.Error("a repeated request got other bytes")
	}
	f.sleep(t, 12*time.Hour)
	status(t, f.post("alice", more), 200)
	status(t, f.post("once", batch), 200)
	refused = f.post("once", more)
	status(t, refused, 429)
	if refused.Header().Get("Retry-After") != "" {
		t.Error("told to come again although the allowance never renews")
	}
	// The other class has an allowance and keys of its own.
	status(t, f.send("/create", "Trust alice", batch.Kind().RequestMediaType(), batch.Request()), 422)
	other := pending(t)(client.Amortized(rand.Reader, f.want(t, "create", privacypass.VOPRFRistretto255), 100))
	status(t, f.send("/create", "Trust alice", other.Kind().RequestMediaType(), other.Request()), 200)
}

func TestRefusals(t *testing.T) {
	f := newFixture(t, new(attester.Memory), privacypass.VOPRFRistretto255)
	want := f.want(t, "default", privacypass.VOPRFRistretto255)
	single := pending(t)(client.Single(rand.Reader, want)).Request()
	three := pending(t)(client.Amortized(rand.Reader, want, 3)).Request()
	many := pending(t)(client.Amortized(rand.Reader, want, 101)).Request()
	changed := func(i int, v byte) []byte { b := bytes.Clone(single); b[i] ^= v; return b }
	const one, amortized = privacypass.MediaTypeRequest, privacypass.MediaTypeAmortizedRequest
	for _, tc := range []struct {
		what, class, authorization, mediaType string
		body                                  []byte
		want                                  int
	}{
		{"ok", "/default", "Trust a", one, single, 200},
		{"media type with parameter", "/default", "Trust a", one + "; q=1", single, 200},
		{"no media type", "/default", "Trust a", "", single, 415},
		{"media type of a response", "/default", "Trust a", privacypass.MediaTypeResponse, single, 415},
		{"broken media type", "/default", "Trust a", "x/y/z", single, 415},
		{"wrong kind", "/default", "Trust a", amortized, single, 422},
		{"empty", "/default", "Trust a", one, nil, 422},
		{"short", "/default", "Trust a", one, single[:len(single)-1], 422},
		{"long", "/default", "Trust a", one, append(bytes.Clone(single), 0), 422},
		{"other type", "/default", "Trust a", one, changed(1, 7), 422},
		{"other key", "/default", "Trust a", one, changed(2, 1), 422},
		{"identity", "/default", "Trust a", one, append(bytes.Clone(single[:3]), make([]byte, 32)...), 422},
		{"not canonical", "/default", "Trust a", one, append(bytes.Clone(single[:3]), bytes.Repeat([]byte{0xff}, 32)...), 422},
		{"batch size", "/default", "Trust a", amortized, three, 422},
		{"batch over the limit", "/default", "Trust a", amortized, many, 422},
		{"huge", "/default", "Trust a", one, make([]byte, 1<<20), 413},
		{"no attestation", "/default", "", one, single, 401},
		{"other scheme", "/default", "Basic YTpi", one, single, 401},
		{"broken attestation", "/default", "Trust a b", one, single, 401},
		{"refused", "/default", "Trust refused", one, single, 403},
		{"attester down", "/default", "Trust unavailable", one, single, 503},
		{"no such class", "/other", "Trust a", one, single, 404},
	} {
		w := f.send(tc.class, tc.authorization, tc.mediaType, tc.body)
		if w.Code != tc.want {
			t.Errorf("%s: %d (%s), want %d", tc.what, w.Code, strings.TrimSpace(w.Body.String()), tc.want)
		}
		if w.Code == 401 && len(w.Header().Values("WWW-Authenticate")) != 2 {
			t.Errorf("%s: WWW-Authenticate %q", tc.what, w.Header().Values("WWW-Authenticate"))
		}
		if w.Code == 503 && w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", tc.what)
		}
	}
	chunked := f.do("POST", "/default/token-request", http.Header{"Content-Type": {one}}, io.MultiReader(bytes.NewReader(make([]byte, 1<<20))))
	status(t, chunked, 413)
	broken := f.do("POST", "/default/token-request", http.Header{"Content-Type": {one}}, brokenReader{})
	status(t, broken, 400)
	if v := look(t, f, "a"); v != 1 {
		t.Errorf("refused requests were charged: %d spent", v)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// look returns what account who was charged in the default class today, found by
// asking for all that is left.
func look(t *testing.T, f *fixture, who string) int {
	t.Helper()
	want := f.want(t, "default", privacypass.VOPRFRistretto255)
	spent := 100
	for _, n := range []int{100, 5, 2, 1} {
		for f.post(who, pending(t)(client.Amortized(rand.Reader, want, n))).Code == 200 {
			spent -= n
		}
	}
	return spent
}

func TestGenericBatch(t *testing.T) {
	f := newFixture(t, new(attester.Memory), privacypass.VOPRFRistretto255, privacypass.VOPRFP384)
	p := pending(t)(client.Generic(rand.Reader, []client.Want{
		f.want(t, "default", privacypass.VOPRFRistretto255), f.want(t, "default", privacypass.VOPRFP384),
	}))
	body := p.Request()
	for i := range 32 { // the first entry's element: after a header of 2 octets and 3 of the entry
		body[2+3+i] = 0xff
	}
	w := f.send("/default", "Trust alice", privacypass.MediaTypeGenericRequest, body)
	status(t, w, 206)
	if tokens, err := p.Finalize(w.Body.Bytes()); err != nil || len(tokens) != 1 || tokens[0].TokenType != privacypass.VOPRFP384 {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	again := f.send("/default", "Trust alice", privacypass.MediaTypeGenericRequest, body)
	if again.Code != 206 || !bytes.Equal(again.Body.Bytes(), w.Body.Bytes()) {
		t.Errorf("repeated: %d", again.Code)
	}
	for i := range 49 {
		body[2+3+32+3+i] = 0xff
	}
	status(t, f.send("/default", "Trust alice", privacypass.MediaTypeGenericRequest, body), 400)
	if spent := look(t, f, "alice"); spent != 1 {
		t.Errorf("charged for %d tokens of which 1 was issued", spent)
	}
}

func TestRotationRefusesOldKeys(t *testing.T) {
	f := newFixture(t, new(attester.Memory), privacypass.VOPRFRistretto255)
	old := f.want(t, "default", privacypass.VOPRFRistretto255)
	ask := func(w client.Want) int {
		return f.post("alice", pending(t)(client.Single(rand.Reader, w))).Code
	}
	f.sleep(t, 28*day)
	next := wantOf(t, f.directory(t, "default").Keys[1])
	for _, step := range []struct {
		sleep          time.Duration
		oldOK, newCode int
	}{{0, 200, 422}, {2*day - 2*skew, 200, 422}, {skew, 200, 200}, {skew, 200, 200}, {7*day - time.Second, 200, 200}, {time.Second, 422, 200}} {
		f.sleep(t, step.sleep)
		if got, want := [2]int{ask(old), ask(next)}, [2]int{step.oldOK, step.newCode}; got != want {
			t.Errorf("at %v: %v, want %v", f.clock(), got, want)
		}
	}
}

// TestCopiesRace sends copies of one request at once: all get the same bytes and
// one charge. Different requests at once never exceed the allowance.
func TestCopiesRace(t *testing.T) {
	f := newFixture(t, new(attester.Memory), privacypass.VOPRFRistretto255)
	want := f.want(t, "default", privacypass.VOPRFRistretto255)
	p := pending(t)(client.Amortized(rand.Reader, want, 5))
	bodies := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() {
			w := f.post("alice", p)
			if bodies[i] = w.Body.Bytes(); w.Code != 200 {
				t.Errorf("status %d", w.Code)
			}
		})
	}
	wg.Wait()
	for _, b := range bodies {
		if !bytes.Equal(b, bodies[0]) {
			t.Fatal("copies got different bytes")
		}
	}
	// 19 more batches fit. Each is sent twice, and both copies fare alike.
	codes := make([][2]int, 24)
	for i := range codes {
		q := pending(t)(client.Amortized(rand.Reader, want, 5))
		for j := range codes[i] {
			wg.Go(func() { codes[i][j] = f.post("alice", q).Code })
		}
	}
	wg.Wait()
	won := 0
	for _, c := range codes {
		switch c {
		case [2]int{200, 200}:
			won++
		case [2]int{429, 429}:
		default:
			t.Errorf("copies of one request got %v", c)
		}
	}
	if won != 19 {
		t.Errorf("%d batches of 5 were issued beside one, of an allowance of 100", won)
	}
}

// broken is a store that fails, before or after the charge.
type broken struct {
	attester.Memory
	look, charge, after error
}

func (b *broken) Look(ctx context.Context, a attester.Account, s attester.Slot, d attester.Digest) (attester.View, error) {
	if b.look != nil {
		return attester.View{}, b.look
	}
	return b.Memory.Look(ctx, a, s, d)
}

func (b *broken) Charge(ctx context.Context, a attester.Account, c attester.Charge) ([]byte, error) {
	if b.charge != nil {
		return nil, b.charge
	}
	reply, err := b.Memory.Charge(ctx, a, c)
	if b.after != nil {
		return nil, b.after
	}
	return reply, err
}

func TestStoreFaults(t *testing.T) {
	disk := errors.New("disk failed")
	s := &broken{look: disk}
	f := newFixture(t, s, privacypass.VOPRFRistretto255)
	p := pending(t)(client.Amortized(rand.Reader, f.want(t, "default", privacypass.VOPRFRistretto255), 100))
	refused := func(code int) {
		t.Helper()
		w := f.post("alice", p)
		status(t, w, code)
		if w.Body.Len() > 60 || strings.Contains(w.Body.String(), "disk") {
			t.Errorf("a failing store released %q", w.Body)
		}
	}
	refused(500)
	s.look, s.charge = nil, disk
	refused(500)
	s.charge = attester.ErrPast
	refused(503)
	s.charge, s.after = nil, disk
	refused(500) // charged, and nobody was told
	s.after = nil
	w := f.post("alice", p)
	status(t, w, 200)
	if tokens, err := p.Finalize(w.Body.Bytes()); err != nil || len(tokens) != 100 {
		t.Errorf("after the fault: %d tokens, %v", len(tokens), err)
	}
	if log := f.log.String(); !strings.Contains(log, "disk failed") || strings.Contains(log, "alice") {
		t.Errorf("log %q", log)
	}
}

func TestOverload(t *testing.T) {
	f := newFixture(t, new(attester.Memory), privacypass.VOPRFRistretto255)
	p := pending(t)(client.Single(rand.Reader, f.want(t, "default", privacypass.VOPRFRistretto255)))
	for range cap(f.turns) {
		f.turns <- struct{}{}
	}
	codes := make(chan int)
	for i := range f.config.Queue + 3 {
		go func() { codes <- f.post(fmt.Sprint("a", i), p).Code }()
	}
	for range 3 {
		if code := <-codes; code != 503 {
			t.Errorf("status %d while the queue is full", code)
		}
	}
	for range cap(f.turns) {
		<-f.turns
	}
	for range f.config.Queue {
		if code := <-codes; code != 200 {
			t.Errorf("status %d after waiting", code)
		}
	}
}

func TestSlowAttester(t *testing.T) {
	f := newFixture(t, new(attester.Memory), privacypass.VOPRFRistretto255)
	f.config.Attesting = 3
	p := pending(t)(client.Single(rand.Reader, f.want(t, "default", privacypass.VOPRFRistretto255)))
	codes := make(chan int)
	for range f.config.Attesting + 2 {
		go func() { codes <- f.post("slow", p).Code }()
	}
	for range 2 {
		if code := <-codes; code != 503 {
			t.Errorf("status %d while the attester is busy", code)
		}
	}
	invite := attester.InviteAuthorization(strings.Repeat("a", 48))
	if w := f.send("/default", invite, p.Kind().RequestMediaType(), p.Request()); w.Code != 403 {
		t.Errorf("status %d by another attester", w.Code)
	}
	for range f.config.Attesting {
		slow <- struct{}{}
		if code := <-codes; code != 200 {
			t.Errorf("status %d after waiting", code)
		}
	}
}

// TestNoIdentifiers is INV-07 for the issuer: after requests with every kind of
// outcome, logs, metrics and answers to failures hold nothing of the account, the
// key, the request or the client's address.
func TestNoIdentifiers(t *testing.T) {
	s := new(broken)
	f := newFixture(t, s, privacypass.VOPRFRistretto255)
	p := pending(t)(client.Single(rand.Reader, f.want(t, "default", privacypass.VOPRFRistretto255)))
	var failures strings.Builder
	post := func(who string) {
		if w := f.post(who, p); w.Code >= 400 {
			fmt.Fprintln(&failures, w.Header(), w.Body)
		}
	}
	post("alice")
	post("refused")
	post("unavailable")
	post("a b")
	s.look = errors.New("disk failed")
	post("alice")
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	key := f.directory(t, "default").Keys[0]
	id := key.ID()
	for where, text := range map[string]string{"log": f.log.String(), "metrics": fmt.Sprint(families), "answers": failures.String()} {
		if len(text) < 40 {
			t.Errorf("%s: only %q", where, text)
		}
		for what, secret := range map[string]string{
			"account": "alice", "address": "192.0.2.1", "key": hex.EncodeToString(id[:4]), "key in base64": base64.URLEncoding.EncodeToString(key.PublicKey)[:8],
			"request": hex.EncodeToString(p.Request()[3:7]),
		} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: the %s is in %s", where, what, text)
			}
		}
	}
}
