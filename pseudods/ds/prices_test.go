package ds

import (
	"maps"
	"slices"
	"testing"
)

// TestEveryChangeHasAPrice: no operation that writes is free because nobody can
// name it in a price list, and no two share a name.
func TestEveryChangeHasAPrice(t *testing.T) {
	for op, o := range operations {
		if o.changes && prices[op] == "" {
			t.Errorf("operation %#x writes and has no price name", uint16(op))
		}
	}
	names := slices.Sorted(maps.Values(prices))
	if len(names) != len(prices) || len(slices.Compact(names)) != len(prices) {
		t.Errorf("%d names for %d operations", len(names), len(prices))
	}
}
