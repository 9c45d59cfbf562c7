package report

import (
	"errors"
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
