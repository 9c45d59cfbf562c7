package moderation_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/seal"
)

// remote returns the way to a rig's docket over HTTP.
func remote(r *rig) *moderation.Remote {
	mux := http.NewServeMux()
	r.Register(mux, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "let me" {
			return true
		}
		http.Error(w, "no", http.StatusUnauthorized)
		return false
	})
	server := httptest.NewServer(mux)
	r.Cleanup(server.Close)
	return &moderation.Remote{URL: server.URL, HTTP: server.Client(), Authorize: func(r *http.Request) { r.Header.Set("Authorization", "let me") }}
}

func TestRemote(t *testing.T) {
	r := newRig(t, nil)
	m := remote(r)
	const n = 2*moderation.MaxList + 1
	for i := range byte(n) {
		r.take(i)
	}
	var all []*moderation.Remoted
	if err := m.Each(t.Context(), func(c *moderation.Remoted) error { all = append(all, c); return nil }); err != nil || len(all) != n {
		t.Fatalf("%d cases, %v", len(all), err)
	}
	c, err := m.Case(t.Context(), all[0].ID)
	if err != nil || c.Case == nil {
		t.Fatal(err)
	}
	o, err := c.Open([]*seal.PrivateKey{r.key})
	if err != nil {
		t.Fatal(err)
	}
	shown := c.Shown(o)
	if shown.State != "open" || shown.Day != "2024-10-04" || shown.Report.Accused.Name != "spammer@provider.example" || shown.Report.Messages[0].Text != "buy my pills" ||
		shown.Report.Messages[0].Day != "2024-10-04" {
		t.Errorf("%+v %+v", shown, shown.Report)
	}
	for _, step := range []struct {
		id      moderation.CaseID
		outcome moderation.Outcome
		opening *moderation.Opening
		want    error
	}{
		{all[0].ID, upheld, nil, moderation.ErrOpening},
		{all[0].ID, moderation.Outcome{State: moderation.Expired}, nil, moderation.ErrOutcome},
		{moderation.CaseID{}, dismissed, nil, moderation.ErrNoCase},
		{all[0].ID, upheld, o.Opening(), nil},
		{all[0].ID, upheld, o.Opening(), nil},
		{all[0].ID, dismissed, nil, moderation.ErrDecided},
		{all[1].ID, upheld, o.Opening(), moderation.ErrOpening},
		{all[1].ID, dismissed, nil, nil},
	} {
		if err := m.Decide(t.Context(), step.id, step.outcome, step.opening); !errors.Is(err, step.want) {
			t.Errorf("%v: %v, want %v", step.outcome, err, step.want)
		}
	}
	if c, err = m.Case(t.Context(), all[0].ID); err != nil || c.Case != nil || c.Shown(nil).State != "upheld (normal)" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := m.Case(t.Context(), moderation.CaseID{}); !errors.Is(err, moderation.ErrNoCase) {
		t.Error(err)
	}
	m.Authorize = func(*http.Request) {}
	if _, err := m.Case(t.Context(), all[0].ID); !errors.Is(err, moderation.ErrRemote) {
		t.Errorf("without authorization: %v", err)
	}
	m.URL = "http://127.0.0.1:1"
	if _, err := m.Case(t.Context(), all[0].ID); !errors.Is(err, moderation.ErrRemote) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestAdminRefuses(t *testing.T) {
	r := newRig(t, nil)
	m := remote(r)
	r.take(1)
	id, _ := r.only()
	for _, tc := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "?from=xyz", "", 400},
		{"GET", "/xyz", "", 400},
		{"POST", "/xyz", `{"state": "dismissed"}`, 400},
		{"POST", "/" + id.String(), "", 422},
		{"POST", "/" + id.String(), `{"state": "upheld"}`, 422},
		{"POST", "/" + id.String(), `{"state": "upheld", "weight": "low", "opening": "AAAA"}`, 422},
		{"POST", "/" + id.String(), `{"state": "dismissed", "weight": "low"}`, 422},
		{"POST", "/" + id.String(), `{"state": "open"}`, 422},
		{"POST", "/" + id.String(), `{"state": "dismissed"}` + strings.Repeat(" ", 70<<10), 422},
		{"DELETE", "/" + id.String(), "", 405},
	} {
		req, err := http.NewRequest(tc.method, m.URL+moderation.AdminPath+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		m.Authorize(req)
		res, err := m.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tc.want {
			t.Errorf("%s %s %.40s: %d, want %d", tc.method, tc.path, tc.body, res.StatusCode, tc.want)
		}
	}
	r.only()
}

func TestShowHidesNothing(t *testing.T) {
	r := newRig(t, nil)
	rep := report(1)
	rep.Messages[0].Content, rep.Messages[0].Day = []byte("\x1b[2Jgone"), 1<<63
	if err := r.Take(t.Context(), rep); err != nil {
		t.Fatal(err)
	}
	id, o := r.only()
	b, err := json.Marshal(moderation.Show(id, &moderation.Case{}, moderation.Outcome{}, o))
	if err != nil || !strings.Contains(string(b), `"content":"G1sySmdvbmU="`) || !strings.Contains(string(b), `"day":"9999-12-31"`) {
		t.Errorf("%s, %v", b, err)
	}
}
