package host

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/daemon"
)

func TestAdmin(t *testing.T) {
	data, err := daemon.OpenDir(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	c := Default()
	c.Classes[0].Types = []string{"0x0005"}
	registry := prometheus.NewRegistry()
	s, err := Open(&c, Options{Data: data, Registry: registry, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key, err := data.ReadSecret(daemon.AdminFile)
	if err != nil {
		t.Fatal(err)
	}
	h := daemon.NewAdmin(registry, s.Ready)
	h.HandleFunc("POST "+ReductionsPath, s.Reduce)
	do := func(method, path, authorization, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	bearer := "Bearer " + base64.URLEncoding.EncodeToString(key.Reveal())
	const reduction = `{"scheme": "Invite", "subject": "x", "percent": 50, "epochs": 1}`
	for _, tc := range []struct {
		method, path, authorization, body string
		want                              int
	}{
		{"GET", "/healthz", "", "", 200},
		{"GET", "/readyz", "", "", 200},
		{"GET", "/metrics", "", "", 200},
		{"POST", "/metrics", "", "", 405},
		{"GET", "/debug/pprof/", "", "", 404},
		{"POST", "/reductions", bearer, reduction, 204},
		{"POST", "/reductions", "", reduction, 401},
		{"POST", "/reductions", bearer + "A", reduction, 401},
		{"POST", "/reductions", bearer[:len(bearer)-8], reduction, 401},
		{"POST", "/reductions", "Bearer ", reduction, 401},
		{"POST", "/reductions", bearer, "", 422},
		{"POST", "/reductions", bearer, strings.Replace(reduction, "Invite", "Bearer", 1), 422},
		{"POST", "/reductions", bearer, strings.Replace(reduction, "50", "101", 1), 422},
		{"POST", "/reductions", bearer, strings.Replace(reduction, `"epochs": 1`, `"epochs": 0`, 1), 422},
		{"POST", "/reductions", bearer, strings.Repeat(" ", maxReduction+1), 400},
	} {
		if w := do(tc.method, tc.path, tc.authorization, tc.body); w.Code != tc.want {
			t.Errorf("%s %s %s: %d, want %d", tc.method, tc.path, tc.body[:min(40, len(tc.body))], w.Code, tc.want)
		}
	}
	if w := do("GET", "/metrics", "", ""); !strings.Contains(w.Body.String(), `ppissuer_keys_live{class="default",type="0x0005"} 1`) {
		t.Errorf("metrics: %s", w.Body)
	}
	h.Drain()
	if w := do("GET", "/readyz", "", ""); w.Code != http.StatusServiceUnavailable || do("GET", "/healthz", "", "").Code != 200 {
		t.Error("ready while draining")
	}
	s.store.Close()
	if w := do("POST", "/reductions", bearer, reduction); w.Code != 500 || strings.Contains(w.Body.String(), "badger") {
		t.Errorf("a closed store: %d %s", w.Code, w.Body)
	}
}

func TestReductionRefused(t *testing.T) {
	const good = `{"scheme": "Bearer", "subject": "alice", "percent": 50, "epochs": 7}`
	if r, err := ParseReduction([]byte(good)); err != nil || r != (Reduction{"Bearer", "alice", 50, 0, 7}) {
		t.Fatalf("%+v, %v", r, err)
	}
	for n := range good {
		if _, err := ParseReduction([]byte(good[:n])); !errors.Is(err, ErrReduction) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	for _, bad := range []string{good + "x", strings.Replace(good, "50", "-1", 1), strings.Replace(good, "50", "256", 1),
		strings.Replace(good, "alice", "", 1), strings.Replace(good, "Bearer", "AccountKey", 1), strings.Replace(good, "epochs", "days", 1), strings.Replace(good, `"epochs"`, `"hold": -1, "epochs"`, 1)} {
		if _, err := ParseReduction([]byte(bad)); !errors.Is(err, ErrReduction) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
