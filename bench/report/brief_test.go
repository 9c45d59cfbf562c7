package report

import (
	"errors"
	"strings"
	"testing"
)

func TestFillBrief(t *testing.T) {
	results, err := Read(strings.NewReader(`[
		{"name": "commit_time", "unit": "ms", "value": 3.5, "members": 10},
		{"name": "commit_time", "unit": "ms", "value": 7.25, "members": 1000},
		{"name": "commit_time", "unit": "ms", "value": 9, "members": 1000},
		{"name": "size_advantage", "unit": "x", "value": 0.2, "ci_low": 0.1, "ci_high": 0.3, "scheme": "padme-256", "candidates": 100, "messages": 1}]`))
	if err != nil {
		t.Fatal(err)
	}
	const document = "before\n<!-- results -->\nold\n<!-- /results -->\nafter\n"
	got, err := FillBrief(document, results)
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n<!-- results -->\n| what | value | interval of 95 % |\n| --- | ---: | --- |\n" +
		"| commit in a group of 1000, median | 7.25 ms |  |\n| matching one message by its size, 100 candidates | 0.2 x | 0.1 to 0.3 |\n<!-- /results -->\nafter\n"
	if got != want {
		t.Errorf("got %q", got)
	}
	if again, err := FillBrief(got, results); err != nil || again != got {
		t.Errorf("filled again: %q, %v", again, err)
	}
	for _, bad := range []string{"", "<!-- results -->\n", "<!-- /results -->\n<!-- results -->\n", document + document} {
		if _, err := FillBrief(bad, results); !errors.Is(err, ErrTable) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := FillBrief(document, nil); !errors.Is(err, ErrTable) {
		t.Errorf("without results: %v", err)
	}
}
