package ds

import (
	"slices"
	"testing"
)

// TestNoKindOutlivesItsGroup: a kind of record that deletion does not know would
// stay for ever.
func TestNoKindOutlivesItsGroup(t *testing.T) {
	for kind, k := range recordKinds {
		if kind != keyHead && !slices.Contains(erasedKinds, kind) {
			t.Errorf("records of kind %q, %s, stay when a group is deleted", kind, k.name)
		}
	}
	if len(erasedKinds) != len(recordKinds)-1 {
		t.Errorf("%d kinds are erased", len(erasedKinds))
	}
}
