package attester

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
)

const day = 24 * time.Hour

var noon = time.Unix(20000*86400+43200, 0)

func newAllowances(t *testing.T, store Store) *Allowances {
	t.Helper()
	a, err := NewAllowances(store, NewNames(secret.New(bytes.Repeat([]byte{7}, 32))), day, map[string]Policy{
		"send": {Tokens: 40, Initial: 20, Growth: 10, BatchSizes: []int{1, 20}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func request(n byte, tokens int, now time.Time) *Request {
	return &Request{Issuer: "issuer.example", Class: "send", MediaType: "m/t", Digest: Digest{n}, Tokens: tokens, Now: now}
}

// issue admits and settles a request as an issuer does.
func issue(a *Allowances, id Identity, r *Request) ([]byte, error) {
	ctx := context.Background()
	ticket, err := a.Admit(ctx, "Scheme", id, r)
	if err != nil || ticket.Reply() != nil {
		if ticket != nil {
			return ticket.Reply(), nil
		}
		return nil, err
	}
	return ticket.Settle(ctx, []byte{r.Digest[0]}, r.Tokens)
}

func TestAllowanceLife(t *testing.T) {
	a, alice := newAllowances(t, new(Memory)), Identity{Subject: "alice"}
	must := func(n byte, tokens int, now time.Time) {
		t.Helper()
		if reply, err := issue(a, alice, request(n, tokens, now)); err != nil || !bytes.Equal(reply, []byte{n}) {
			t.Fatalf("request %d: %x, %v", n, reply, err)
		}
	}
	exhausted := func(n byte, tokens int, now, retry time.Time) {
		t.Helper()
		_, err := issue(a, alice, request(n, tokens, now))
		var e *ExhaustedError
		if !errors.As(err, &e) || !errors.Is(err, ErrExhausted) || !e.RetryAt.Equal(retry) {
			t.Fatalf("request %d: %v, want to retry at %v", n, err, retry)
		}
	}
	midnight := noon.Add(12 * time.Hour)
	must(1, 20, noon)
	must(1, 20, noon) // repetition
	exhausted(2, 1, noon, midnight)
	must(3, 20, midnight)
	for n := range byte(10) {
		must(100+n, 1, midnight)
	}
	exhausted(4, 1, midnight, midnight.Add(day))

	if err := a.Reduce(context.Background(), "Scheme", "alice", Penalty{50, 2, 2}, midnight.Add(day)); err != nil {
		t.Fatal(err)
	}
	must(5, 20, midnight.Add(day)) // 40 less half
	exhausted(6, 1, midnight.Add(day), midnight.Add(2*day))
	must(7, 20, midnight.Add(3*day))
	must(8, 20, midnight.Add(3*day))
	other := request(3, 20, midnight) // the same octets, naming another key
	other.Keys = []privacypass.KeyID{{1}}
	if _, err := issue(a, alice, other); !errors.Is(err, ErrExhausted) {
		t.Fatalf("another key's request: %v", err)
	}
	must(3, 20, midnight) // what was issued can be fetched again

	if err := a.Forget(context.Background(), midnight.Add(2*day).Add(Grace-time.Second)); err != nil {
		t.Fatal(err)
	}
	must(5, 20, midnight.Add(day).Add(day-time.Second)) // within the grace
	if err := a.Forget(context.Background(), midnight.Add(2*day).Add(Grace)); err != nil {
		t.Fatal(err)
	}
	if _, err := issue(a, alice, request(9, 20, midnight.Add(day))); !errors.Is(err, ErrPast) {
		t.Errorf("a forgotten epoch: %v", err)
	}
}

func TestAllowanceOnce(t *testing.T) {
	a := newAllowances(t, new(Memory))
	code := Identity{Subject: "code", Once: noon.Add(30 * day)}
	for n := range byte(2) { // an account of one allowance does not grow
		if _, err := issue(a, code, request(n, 20, noon.Add(time.Duration(n)*10*day))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := issue(a, code, request(9, 1, noon.Add(25*day)))
	var e *ExhaustedError
	if !errors.As(err, &e) || !e.RetryAt.IsZero() {
		t.Fatalf("a third batch: %v", err)
	}
	if err := a.Forget(context.Background(), noon.Add(29*day)); err != nil {
		t.Fatal(err)
	}
	if reply, err := issue(a, code, request(1, 20, noon.Add(29*day))); err != nil || !bytes.Equal(reply, []byte{1}) {
		t.Errorf("forgotten before its time: %x, %v", reply, err)
	}
}

func TestAdmitErrors(t *testing.T) {
	a := newAllowances(t, new(Memory))
	unknown := request(1, 1, noon)
	unknown.Class = "other"
	for want, r := range map[error]*Request{ErrClass: unknown, ErrBatchSize: request(1, 2, noon)} {
		if _, err := a.Admit(context.Background(), "Scheme", Identity{Subject: "a"}, r); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	for _, err := range []error{
		a.Reduce(context.Background(), "Scheme", "a", Penalty{101, 1, 1}, noon),
		a.Reduce(context.Background(), "Scheme", "a", Penalty{1, 1, 0}, noon),
		a.Reduce(context.Background(), "Scheme", "a", Penalty{1, 0, 1}, noon),
		a.Reduce(context.Background(), "Scheme", "a", Penalty{1, 3, 2}, noon),
	} {
		if !errors.Is(err, ErrPolicy) {
			t.Error(err)
		}
	}
	if _, err := NewAllowances(new(Memory), a.names, time.Millisecond, nil); !errors.Is(err, ErrPolicy) {
		t.Error(err)
	}
}

// TestSettleLosesRace admits two copies and two different requests at once and
// checks what settling them in turn releases.
func TestSettleLosesRace(t *testing.T) {
	ctx, a, alice := context.Background(), newAllowances(t, new(Memory)), Identity{Subject: "alice"}
	var tickets []*Ticket
	for _, n := range []byte{1, 1, 2} {
		ticket, err := a.Admit(ctx, "Scheme", alice, request(n, 20, noon))
		if err != nil {
			t.Fatal(err)
		}
		tickets = append(tickets, ticket)
	}
	if reply, err := tickets[0].Settle(ctx, []byte("first"), 20); err != nil || string(reply) != "first" {
		t.Fatalf("%q, %v", reply, err)
	}
	if reply, err := tickets[1].Settle(ctx, []byte("second"), 20); err != nil || string(reply) != "first" {
		t.Fatalf("the copy released %q, %v", reply, err)
	}
	if reply, err := tickets[2].Settle(ctx, []byte("third"), 20); !errors.Is(err, ErrExhausted) || reply != nil {
		t.Fatalf("over the allowance: %q, %v", reply, err)
	}
}

func TestNames(t *testing.T) {
	k := secret.New(bytes.Repeat([]byte{1}, 32))
	base := NewNames(k).Account("a", "bc")
	for _, other := range []Account{
		NewNames(k).Account("ab", "c"), NewNames(k).Account("a", "bd"),
		NewNames(secret.New(bytes.Repeat([]byte{2}, 32))).Account("a", "bc"),
	} {
		if other == base {
			t.Error("two accounts have one name")
		}
	}
	if NewNames(k).Account("a", "bc") != base {
		t.Error("an account has two names")
	}
}
