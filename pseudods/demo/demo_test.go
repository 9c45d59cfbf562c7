package demo

import (
	"bytes"
	"testing"
)

// TestINV02TheStoryLeavesNoTrace plays the whole story: it fails if the stores,
// logs or metrics hold an identifier that they must not, or two side by side.
func TestINV02TheStoryLeavesNoTrace(t *testing.T) {
	var out bytes.Buffer
	err := Run(t.Context(), &out, t.TempDir())
	t.Logf("%s", out.String())
	if err != nil {
		t.Fatal(err)
	}
}
