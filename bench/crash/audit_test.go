package crash

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func goodRecords() map[string][]Entry {
	return map[string][]Entry{
		"alice": {
			{Kind: Epoch, Group: "g", Number: 1, Sum: "e1"},
			{Kind: Saying, Group: "g", Text: "alice 1"},
			{Kind: Said, Group: "g", Text: "alice 1"},
			{Kind: Saying, Group: "g", Text: "alice 2"}, // killed: it may be heard or not
			{Kind: Heard, Group: "g", Text: "bob 1", Number: 3},
			{Kind: Saying, Group: "g", Text: "alice 3"},
			{Kind: Said, Group: "g", Text: "alice 3"},
			{Kind: Epoch, Group: "g", Number: 2, Sum: "e2"},
			{Kind: Paid, Sum: "r1", Tokens: []string{"t1", "t2"}},
			{Kind: Fetch, Sum: "k1"},
			{Kind: Fetch, Sum: "last", LastResort: true},
		},
		"bob": {
			{Kind: Epoch, Group: "g", Number: 1, Sum: "e1"},
			{Kind: Heard, Group: "g", Text: "alice 1", Number: 1},
			{Kind: Heard, Group: "g", Text: "alice 1", Number: 1}, // killed before it was taken
			{Kind: Saying, Group: "g", Text: "bob 1"},
			{Kind: Said, Group: "g", Text: "bob 1"},
			{Kind: Heard, Group: "g", Text: "alice 3", Number: 4},
			{Kind: Epoch, Group: "g", Number: 2, Sum: "e2"},
			{Kind: Paid, Sum: "r2", Tokens: []string{"t3"}},
			{Kind: Paid, Sum: "r2", Tokens: []string{"t3"}}, // the same request again
			{Kind: Fetch, Sum: "k2"},
			{Kind: Fetch, Sum: "last", LastResort: true},
		},
	}
}

func TestAudit(t *testing.T) {
	records := goodRecords()
	records["bob"] = append(records["bob"], Entry{Kind: Unsure}, Entry{Kind: Away, Number: 900, Failures: 3}, Entry{Kind: Away, Number: 200, Failures: 1})
	others := map[string][]Entry{"mallory": {{Kind: Double, Sum: "r3", Tokens: []string{"t3"}}}}
	r := Audit(records, others, nil)
	want := Report{Said: 3, Heard: 3, Repeated: 1, Epochs: 2, Packages: 3, Tokens: 3, Doubles: 1, Failures: 4, Unsure: 1, Away: 900 * time.Millisecond}
	if !reflect.DeepEqual(*r, want) {
		t.Fatalf("got %+v", r)
	}
}

// TestAuditSeesLoss tampers with records in all the ways that the audit is for.
func TestAuditSeesLoss(t *testing.T) {
	for name, c := range map[string]struct {
		of     string
		change func(entries []Entry) []Entry
		want   string
	}{
		"lost":          {"bob", func(e []Entry) []Entry { return slices.Delete(e, 5, 6) }, "never heard it"},
		"noticed loss":  {"bob", func(e []Entry) []Entry { return append(e, Entry{Kind: Lost, Group: "g"}) }, "missing"},
		"twice":         {"bob", func(e []Entry) []Entry { e[2].Number = 2; return e }, "came twice"},
		"out of order":  {"bob", func(e []Entry) []Entry { e[1], e[5] = e[5], e[1]; return slices.Delete(e, 2, 3) }, "after"},
		"made up":       {"alice", func(e []Entry) []Entry { e[4].Text = "bob 7"; return e }, "nobody said"},
		"fork":          {"bob", func(e []Entry) []Entry { e[6].Sum = "other"; return e }, "two commits"},
		"behind":        {"bob", func(e []Entry) []Entry { return slices.Delete(e, 6, 7) }, "ended in epoch 1"},
		"back":          {"bob", func(e []Entry) []Entry { return append(e, Entry{Kind: Epoch, Group: "g", Number: 1, Sum: "e1"}) }, "went back"},
		"double spend":  {"bob", func(e []Entry) []Entry { e[8].Sum = "r9"; return e }, "two requests"},
		"package twice": {"bob", func(e []Entry) []Entry { e[9].Sum = "k1"; return e }, "one KeyPackage left"},
	} {
		records := goodRecords()
		records[c.of] = c.change(records[c.of])
		r := Audit(records, nil, nil)
		if lost := name == "lost" || name == "made up"; (r.Lost > 0) != lost {
			t.Errorf("%s: %d lost", name, r.Lost)
		}
		if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, c.want) }) {
			t.Errorf("%s: found %q", name, r.Problems)
		}
	}
	if r := Audit(maps.Clone(goodRecords()), map[string][]Entry{"mallory": {{Kind: Paid, Sum: "r9", Tokens: []string{"t1"}}}}, nil); len(r.Problems) != 1 {
		t.Errorf("a copied wallet: found %q", r.Problems)
	}
}
