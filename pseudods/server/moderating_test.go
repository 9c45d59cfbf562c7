package server

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	shared "github.com/pseudods/pseudods/storage/postgres/reports"
)

// outside is a webhook that upholds what it is asked about, and an issuer that takes
// verdicts.
type outside struct {
	mu       sync.Mutex
	asked    int
	verdicts int
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.URL.Path == "/decide" {
		o.asked++
		io.WriteString(w, `{"decision":"uphold","weight":"low"}`)
		return
	}
	o.verdicts++
	w.WriteHeader(http.StatusNoContent)
}

func (o *outside) await(t *testing.T, asked, verdicts int) {
	t.Helper()
	for range 600 {
		o.mu.Lock()
		done := o.asked >= asked && o.verdicts >= verdicts
		o.mu.Unlock()
		if done {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // nothing more comes
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asked != asked || o.verdicts != verdicts {
		t.Fatalf("%d times asked and %d verdicts, want %d and %d", o.asked, o.verdicts, asked, verdicts)
	}
}

// TestServersShareReports: a report that two servers take is one case, about which
// one of them asks, and whose verdict goes out once; and the other goes on when
// that one has died.
func TestServersShareReports(t *testing.T) {
	pgtest.Bin(t)
	o := new(outside)
	elsewhere := httptest.NewServer(o)
	defer elsewhere.Close()
	d, settings := database(t, Moderation)
	keys := filepath.Join(t.TempDir(), "keys")
	secret := daemon.Dir(t.TempDir())
	must(secret.Secret("hook"))
	var servers [2]*Server
	for i := range servers {
		c := config(t)
		cheap(&c)
		var delay daemon.Duration
		c.Moderation.VerdictDelay = &delay
		c.Moderation.Database, c.Moderation.Keys = settings, keys
		c.Moderation.Webhook = &ModerationHook{URL: elsewhere.URL + "/decide", Secret: secret.Path("hook")}
		c.Moderation.Issuers = map[string]IssuerPlace{"provider.example": {Name: "issuer.example", URL: elsewhere.URL + "/verdicts"}}
		servers[i], _ = start(t, c)
	}
	report := func(n byte) *ds.Report {
		return &ds.Report{ID: ds.ReportID{n}, Domain: "provider.example", Credential: mls.BasicCredential([]byte("spammer")), Key: make(ed25519.PublicKey, 32),
			Reason: 1, Messages: []ds.ReportedMessage{{Content: []byte("buy my pills"), Day: 20000}}}
	}
	take := func(n byte, at ...int) {
		t.Helper()
		taken := 0
		for _, i := range at {
			switch err := servers[i].moderation.docket.Take(t.Context(), report(n)); {
			case err == nil:
				taken++
			case !errors.Is(err, ds.ErrReported):
				t.Fatal(err)
			}
		}
		if taken != 1 {
			t.Fatalf("report %d was taken %d times", n, taken)
		}
	}
	for n := range byte(4) {
		take(n, int(n%2), int(1-n%2))
	}
	o.await(t, 4, 4)
	// One dies: as if nothing were left in order, its leases are given to nobody.
	if err := d.Exec("update duty.duty set process = '\\x00', until = clock_timestamp() + interval '2 s'"); err != nil {
		t.Fatal(err)
	}
	take(4, 1)
	o.await(t, 5, 5)
	for i, s := range servers {
		if n, err := s.moderation.docket.Waiting(context.Background()); err != nil || n != 0 {
			t.Errorf("at server %d %d reports wait, %v", i, n, err)
		}
		if err := s.moderation.docket.Expire(t.Context()); err != nil {
			t.Error(err)
		}
	}
	// A verdict is forgotten after the issuer has answered.
	store := shared.New(d.Open(t))
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		list, _, err := store.Verdicts(t.Context(), moderation.CaseID{})
		if err == nil && len(list) == 0 {
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("%d verdicts wait, %v", len(list), err)
		}
	}
}
