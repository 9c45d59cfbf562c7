package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// TestLogHasOnlyListedAttributes: what is not on the list is not written, however
// it is given.
func TestLogHasOnlyListedAttributes(t *testing.T) {
	var b bytes.Buffer
	log := NewLogger(&b)
	log.Info("happened", "error", errors.New("disk"), "queue", "needle", slog.Group("client", "error", "needle"))
	log.With("address", "needle").WithGroup("request").Error("failed", "error", "needle")
	got := b.String()
	if strings.Contains(got, "needle") || !strings.Contains(got, `"error":"disk"`) || strings.Count(got, "\n") != 2 || !strings.Contains(got, `"msg":"failed"`) {
		t.Errorf("logged %s", got)
	}
}
