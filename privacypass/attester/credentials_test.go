package attester

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
)

var cheap = WorkCost{MemoryKiB: 8, Passes: 1, Attempts: 4}

// A credential makes an attester and a way to authorize requests to it.
type credential struct {
	attester  Attester
	authorize func(*Request) string
	// bound: the credential is good for one request alone.
	bound bool
	// life is how long the credential made at noon is accepted at least, and
	// until twice as long at most.
	life time.Duration
}

// The credentials are the same in every process, as fuzzing needs.
func credentials(t testing.TB) map[string]credential {
	invites := NewInvites(secret.New(bytes.Repeat([]byte{3}, 32)))
	code, err := invites.New(strings.NewReader("serialnumber"), noon)
	if err != nil {
		t.Fatal(err)
	}
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	work, err := NewProofOfWork(cheap, 2)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]credential{
		"invite": {invites, func(*Request) string { return InviteAuthorization(code) }, false, 12*time.Hour - time.Second},
		"account key": {NewAccountKeys(Keys{[32]byte(public): {}}),
			func(r *Request) string { return AccountKeyAuthorization(private, r) }, true, AccountKeyWindow},
		"proof of work": {work, func(r *Request) string {
			s, err := cheap.Solve(context.Background(), strings.NewReader("sixteen octets 1"), r)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}, true, ProofOfWorkWindow},
	}
}

func TestCredentials(t *testing.T) {
	ctx := context.Background()
	for name, c := range credentials(t) {
		t.Run(name, func(t *testing.T) {
			r := request(1, 20, noon)
			r.Authorization = c.authorize(r)
			if got := Scheme(r.Authorization); got != strings.ToLower(c.attester.Scheme()) {
				t.Fatalf("scheme %q", got)
			}
			id, err := c.attester.Attest(ctx, r)
			if err != nil || id.Subject == "" {
				t.Fatalf("%+v, %v", id, err)
			}
			late := *r
			late.Now = noon.Add(c.life)
			again, err := c.attester.Attest(ctx, &late)
			if err != nil || again != id {
				t.Errorf("repeated: %+v, %v; want %+v", again, err, id)
			}
			if !id.Once.IsZero() && id.Once.Before(late.Now) {
				t.Errorf("accepted at %v, after %v", late.Now, id.Once)
			}
			late.Now = noon.Add(2 * c.life).Add(time.Minute)
			if _, err := c.attester.Attest(ctx, &late); !errors.Is(err, ErrRefused) {
				t.Errorf("too late: %v", err)
			}
			for what, change := range map[string]func(*Request){
				"issuer": func(r *Request) { r.Issuer = "other.example" },
				"class":  func(r *Request) { r.Class = "other" },
				"media":  func(r *Request) { r.MediaType = "m/u" },
				"body":   func(r *Request) { r.Digest[31] ^= 1 },
				"early":  func(r *Request) { r.Now = r.Now.Add(-time.Hour) },
			} {
				moved := *r
				change(&moved)
				if _, err := c.attester.Attest(ctx, &moved); c.bound && !errors.Is(err, ErrRefused) {
					t.Errorf("other %s: %v", what, err)
				} else if !c.bound && err != nil {
					t.Errorf("other %s: %v", what, err)
				}
			}
			for n := range len(r.Authorization) {
				cut := *r
				cut.Authorization = r.Authorization[:n]
				if id, err := c.attester.Attest(ctx, &cut); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRefused) || id != (Identity{}) {
					t.Errorf("prefix %q: %+v, %v", cut.Authorization, id, err)
				}
			}
			longer := *r
			longer.Authorization += "a"
			if _, err := c.attester.Attest(ctx, &longer); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRefused) {
				t.Errorf("trailing octet: %v", err)
			}
		})
	}
}

func TestInviteForgery(t *testing.T) {
	in := NewInvites(secret.New(bytes.Repeat([]byte{3}, 32)))
	other := NewInvites(secret.New(bytes.Repeat([]byte{4}, 32)))
	code, err := in.New(rand.Reader, noon)
	if err != nil {
		t.Fatal(err)
	}
	foreign, _ := other.New(rand.Reader, noon)
	flipped := []byte(code)
	flipped[20] ^= 1
	for _, bad := range []string{foreign, string(flipped), strings.ToUpper(code), code + "aaaaaaaa", code + "="} {
		r := request(1, 1, noon)
		r.Authorization = InviteAuthorization(bad)
		if _, err := in.Attest(context.Background(), r); !errors.Is(err, ErrRefused) && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := in.New(rand.Reader, time.Unix(1<<40, 0)); err == nil {
		t.Error("made a code without expiry")
	}
}

func TestAccountKeyUnknown(t *testing.T) {
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	r := request(1, 1, noon)
	r.Authorization = AccountKeyAuthorization(private, r)
	if _, err := NewAccountKeys(Keys{}).Attest(context.Background(), r); !errors.Is(err, ErrRefused) {
		t.Errorf("unknown key: %v", err)
	}
}

// TestProofOfWorkPaysPerToken checks that a proof for one token rarely pays for
// a thousand, and that the target has no rounding surprise.
func TestProofOfWorkPaysPerToken(t *testing.T) {
	work, _ := NewProofOfWork(cheap, 1)
	refused := 0
	for n := range byte(20) {
		r := request(n, 1, noon)
		r.Authorization, _ = cheap.Solve(context.Background(), strings.NewReader("sixteen octets 1"), r)
		r.Tokens = 1 << 10
		if _, err := work.Attest(context.Background(), r); errors.Is(err, ErrRefused) {
			refused++
		}
	}
	if refused < 18 {
		t.Errorf("%d of 20 proofs for one token paid for 1024", 20-refused)
	}
	if cheap.target(1) != 1<<62-1 {
		t.Errorf("target %x", cheap.target(1))
	}
}

func TestProofOfWorkWaitsForItsTurn(t *testing.T) {
	work, _ := NewProofOfWork(cheap, 1)
	r := request(1, 1, noon)
	r.Authorization, _ = cheap.Solve(context.Background(), rand.Reader, r)
	work.turns <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := work.Attest(ctx, r); !errors.Is(err, context.Canceled) {
		t.Errorf("no turn: %v", err)
	}
	<-work.turns
	if _, err := work.Attest(context.Background(), r); err != nil {
		t.Error(err)
	}
	if _, err := cheap.Solve(ctx, rand.Reader, r); !errors.Is(err, context.Canceled) {
		t.Errorf("solving when nobody waits: %v", err)
	}
}

func TestWorkCostBounds(t *testing.T) {
	for _, bad := range []WorkCost{{}, {7, 1, 1}, {1<<20 + 1, 1, 1}, {8, 0, 1}, {8, 17, 1}, {8, 1, 0}, {8, 1, 1<<20 + 1}} {
		if _, err := NewProofOfWork(bad, 1); !errors.Is(err, ErrWorkCost) {
			t.Errorf("%+v: %v", bad, err)
		}
		if _, err := bad.Solve(context.Background(), rand.Reader, request(1, 1, noon)); !errors.Is(err, ErrWorkCost) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := NewProofOfWork(cheap, 0); !errors.Is(err, ErrWorkCost) {
		t.Error(err)
	}
}

func TestReadKeys(t *testing.T) {
	public, _, _ := ed25519.GenerateKey(rand.Reader)
	line := encode64(public)
	keys, err := ReadKeys(strings.NewReader("# accounts\n\n " + line + " \r\n" + line + "\n"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	if ok, err := keys.Has(context.Background(), [32]byte(public)); !ok || err != nil {
		t.Error("the key is missing")
	}
	for _, bad := range []string{line[:len(line)-1], line + "A", "x", line + " " + line} {
		if _, err := ReadKeys(strings.NewReader("#\n" + bad)); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
