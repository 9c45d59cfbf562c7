package moderation

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/seal"
)

// AdminPath is where an admin listener has the docket:
//
//	GET  /reports?from=CASE   open cases, sealed, in the order of their names
//	GET  /reports/CASE        one case
//	POST /reports/CASE        a decision
//
// Everything is JSON. Cases leave sealed, so that a listener has no need of the
// moderation key.
const AdminPath = "/reports"

const maxDecision = 64 << 10

// sealedCase is a case on its way to who decides.
type sealedCase struct {
	Case       string `json:"case"`
	State      string `json:"state"`
	Day        uint32 `json:"day,omitempty"`
	Commitment []byte `json:"commitment,omitempty"`
	Sealed     []byte `json:"sealed,omitempty"`
}

func sealedCaseOf(id CaseID, c *Case, o Outcome) sealedCase {
	if c == nil {
		return sealedCase{Case: id.String(), State: o.String()}
	}
	return sealedCase{id.String(), Open.String(), c.Day, c.Commitment[:], c.Sealed}
}

// sealedPage is some open cases. Next is empty after the last ones.
type sealedPage struct {
	Cases []sealedCase `json:"cases"`
	Next  string       `json:"next,omitempty"`
}

// decision is what is decided about a case. Opening is that of the report, needed
// to uphold.
type decision struct {
	State   string `json:"state"`
	Weight  string `json:"weight,omitempty"`
	Opening []byte `json:"opening,omitempty"`
}

// outcome reads a decision. It fails with [ErrOutcome] or [ErrOpening].
func (d *decision) outcome() (o Outcome, opening *Opening, err error) {
	switch d.State {
	case Upheld.String():
		o.State = Upheld
		if o.Weight, err = attester.ParseWeight(d.Weight); err != nil {
			return o, nil, ErrOutcome
		}
		if len(d.Opening) > 0 { // a case that was decided before needs none
			opening, err = parseOpening(d.Opening)
		}
		return o, opening, err
	case Dismissed.String():
		o.State = Dismissed
		if d.Weight == "" && len(d.Opening) == 0 {
			return o, nil, nil
		}
	}
	return Outcome{}, nil, ErrOutcome
}

// Register adds the docket's paths to a listener that only operators reach.
// authorized answers who may not.
func (d *Docket) Register(mux *http.ServeMux, authorized func(http.ResponseWriter, *http.Request) bool) {
	for pattern, h := range map[string]http.HandlerFunc{
		"GET " + AdminPath:              d.serveList,
		"GET " + AdminPath + "/{case}":  d.serveCase,
		"POST " + AdminPath + "/{case}": d.serveDecision,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if authorized(w, r) {
				h(w, r)
			}
		})
	}
}

// statuses are how the errors of this package are answered.
var statuses = []struct {
	err    error
	status int
}{
	{ErrCaseID, http.StatusBadRequest},
	{ErrNoCase, http.StatusNotFound},
	{ErrDecided, http.StatusConflict},
	{ErrOutcome, http.StatusUnprocessableEntity},
	{ErrOpening, http.StatusUnprocessableEntity},
	{seal.ErrOpen, http.StatusUnprocessableEntity},
}

func answer(w http.ResponseWriter, v any, err error) {
	if err == nil {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // or the client is gone
		return
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			http.Error(w, s.err.Error(), s.status)
			return
		}
	}
	http.Error(w, "internal error", http.StatusInternalServerError)
}

func (d *Docket) serveList(w http.ResponseWriter, r *http.Request) {
	var from CaseID
	var err error
	if s := r.URL.Query().Get("from"); s != "" {
		from, err = ParseCaseID(s)
	}
	var list []Listed
	var more bool
	if err == nil {
		list, more, err = d.cfg.Store.OpenCases(r.Context(), from)
	}
	page := sealedPage{Cases: []sealedCase{}}
	for i := range list {
		page.Cases = append(page.Cases, sealedCaseOf(list[i].ID, &list[i].Case, Outcome{}))
	}
	if len(list) > 0 {
		if next, more := follow(list[len(list)-1].ID, more); more {
			page.Next = next.String()
		}
	}
	answer(w, page, err)
}

func (d *Docket) serveCase(w http.ResponseWriter, r *http.Request) {
	id, err := ParseCaseID(r.PathValue("case"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	c, o, err := d.cfg.Store.Look(r.Context(), id)
	answer(w, sealedCaseOf(id, c, o), err)
}

func (d *Docket) serveDecision(w http.ResponseWriter, r *http.Request) {
	id, err := ParseCaseID(r.PathValue("case"))
	body, unread := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDecision))
	var said decision
	if err == nil && (unread != nil || json.Unmarshal(body, &said) != nil) {
		err = ErrOutcome
	}
	var o Outcome
	var opening *Opening
	if err == nil {
		o, opening, err = said.outcome()
	}
	if err == nil {
		err = d.Decide(r.Context(), id, o, opening)
	}
	answer(w, sealedCaseOf(id, nil, o), err)
}
