package crash

import (
	"slices"
	"strings"
	"testing"
)

// goodRulings are about two of the texts of [goodRecords], one of them reported twice.
func goodRulings() (map[string][]Entry, *Rulings) {
	records := goodRecords()
	records["bob"] = append(records["bob"], Entry{Kind: Reported, Group: "g", Text: "alice 1"}, Entry{Kind: Reported, Group: "g", Text: "alice 1"})
	records["alice"] = append(records["alice"], Entry{Kind: Reported, Group: "g", Text: "bob 1"})
	return records, &Rulings{Decided: 3, Verdicts: 2, Cases: map[string]*Ruling{
		"c1": {Group: "g", Text: "alice 1", Accused: "alice", Weight: "low", Told: true},
		"c2": {Group: "g", Text: "bob 1", Accused: "bob", Told: true},
		"c3": {Group: "g", Text: "alice 3", Accused: "alice", Weight: "severe", Told: true}, // whose reporter was killed
	}}
}

func TestAuditRulings(t *testing.T) {
	records, rulings := goodRulings()
	r := Audit(records, nil, rulings)
	if len(r.Problems) > 0 || r.Reports != 2 || r.Cases != 3 || r.Upheld != 2 || r.Verdicts != 2 || r.LostReports != 0 {
		t.Fatalf("got %+v", r)
	}
}

// TestAuditSeesLostRulings tampers with rulings in all the ways that the audit is for.
func TestAuditSeesLostRulings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *Rulings)
		want   string
	}{
		"lost report":      {func(r *Rulings) { delete(r.Cases, "c2"); r.Decided-- }, "nobody could decide"},
		"undecided":        {func(r *Rulings) { r.Cases["c2"].Told = false }, "is not decided"},
		"lost decision":    {func(r *Rulings) { r.Decided, r.Open = 2, 1 }, "2 as decided and 1 as open"},
		"two cases":        {func(r *Rulings) { r.Cases["c4"] = r.Cases["c2"]; r.Decided++ }, "two cases"},
		"wrong accused":    {func(r *Rulings) { r.Cases["c2"].Accused = "alice" }, "is accused"},
		"no verdict":       {func(r *Rulings) { r.Verdicts = 1 }, "1 have a verdict"},
		"verdict twice":    {func(r *Rulings) { r.Verdicts = 3 }, "3 have a verdict"},
		"verdict not sent": {func(r *Rulings) { r.Waiting = 1 }, "1 one that waits"},
		"on the way":       {func(r *Rulings) { r.Problems = []string{"decided otherwise"} }, "otherwise"},
	} {
		records, rulings := goodRulings()
		c.change(rulings)
		r := Audit(records, nil, rulings)
		if (r.LostReports > 0) != (name == "lost report") {
			t.Errorf("%s: %d reports lost", name, r.LostReports)
		}
		if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, c.want) }) {
			t.Errorf("%s: found %q", name, r.Problems)
		}
	}
}
