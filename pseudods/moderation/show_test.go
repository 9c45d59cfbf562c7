package moderation_test

import (
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/moderation"
)

// TestTextsAreShown: who decides reads what was said, also of clients that put
// something in front, and nothing that could take over a terminal.
func TestTextsAreShown(t *testing.T) {
	framed := append(append([]byte{1}, make([]byte, 16)...), "\x05hello"...)
	o := &moderation.Opened{Report: ds.Report{Messages: []ds.ReportedMessage{
		{Content: []byte("plain")}, {Content: framed}, {Content: framed[:20]}, {Content: []byte("\x1b[2J")},
	}}}
	got := moderation.Show(moderation.CaseID{}, &moderation.Case{}, moderation.Outcome{}, o).Report.Messages
	for i, want := range []string{"plain", "hello", "", ""} {
		if got[i].Text != want || (want == "") != (len(got[i].Content) > 0) {
			t.Errorf("message %d is shown as %q, %x", i, got[i].Text, got[i].Content)
		}
	}
}
