package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestFillTables(t *testing.T) {
	results := sample(t)
	document := "before\n<!-- table timing_messages_to_top rows=queues columns=window_s where=receipts:true -->\nold\n<!-- /table -->\nbetween\n" +
		"<!-- table fanout_deliveries rows=members where=payload_bytes:256 -->\n<!-- /table -->\n" +
		"<!-- table timing_messages_to_top rows=window_s where=queues:one_per_group -->\n<!-- /table -->\nafter\n"
	got, err := FillTables(document, results)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"before\n<!-- table", "between\n",
		"| queues | window s 0 | window s 0.1 | window s 10 |\n| --- | ---: | ---: | ---: |\n| one | 1 (1 to 2) | 2 (1 to 4) | at least 101 (1 to 202) |\n| one per group |",
		"| members | deliveries/s |\n| --- | ---: |\n| 2 | 2000 |\n| 10 | 10000 |\n| 100 | 100000 |\n",
		"| 0.1 | 2 (1 to 4) |\n", "-->\nafter\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "old") {
		t.Error("the old table is still there")
	}
	if again, err := FillTables(got, results); err != nil || again != got {
		t.Errorf("filled again it differs: %v", err)
	}
}

func TestFillTablesRefuses(t *testing.T) {
	results := sample(t)
	for name, bad := range map[string]string{
		"nothing fits":    "<!-- table nothing rows=x -->\n<!-- /table -->\n",
		"two in one cell": "<!-- table timing_messages_to_top rows=queues -->\n<!-- /table -->\n",
		"no end":          "<!-- table fanout_deliveries rows=members,payload_bytes -->\n",
		"in another":      "<!-- table fanout_deliveries rows=members,payload_bytes -->\n<!-- table x -->\n<!-- /table -->\n",
		"unknown":         "<!-- table fanout_deliveries magic=1 -->\n<!-- /table -->\n",
		"no condition":    "<!-- table fanout_deliveries where=members -->\n<!-- /table -->\n",
		"malformed":       "<!-- table -->\n<!-- /table -->\n",
	} {
		if _, err := FillTables(bad, results); !errors.Is(err, ErrTable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMatrix: results of scenarios under defences make a matrix, on the page and in
// the summary. What was not measured stays empty, and two results of one pair make
// no matrix.
func TestMatrix(t *testing.T) {
	const cell = `{"name": "abuse_effects", "unit": "1/h", "value": %d, "accounts": %d, "parameters": {"scenario": "%s", "defence": "%s"}}`
	cells := []string{fmt.Sprintf(cell, 90, 1, "flood", "control"), fmt.Sprintf(cell, 70, 1, "flood", "none"), fmt.Sprintf(cell, 0, 1, "flood", "tokens"),
		fmt.Sprintf(cell, 5, 2, "drain", "none")}
	read := func(cells []string) []*File {
		results, err := Read(strings.NewReader("[" + strings.Join(cells, ",") + "]"))
		if err != nil {
			t.Fatal(err)
		}
		return []*File{{"abuse", results}}
	}
	var page, summary, twice bytes.Buffer
	if err := errors.Join(Page(&page, read(cells)), Summary(&summary, read(cells)), Summary(&twice, read(append(cells, fmt.Sprintf(cell, 6, 3, "drain", "none"))))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| | none | tokens | control |", "| flood | 70 | 0 | 90 |", "| drain | 5 |  |  |"} {
		if !strings.Contains(summary.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, summary.String())
		}
		if strings.Contains(twice.String(), want) {
			t.Errorf("two results are one cell:\n%s", twice.String())
		}
	}
	if got := page.String(); strings.Count(got, "<svg") != 2 || strings.Count(got, "rgba(213,94,0,0.60)") != 2 {
		t.Errorf("the page has %d plots and other shades", strings.Count(got, "<svg"))
	}
}
