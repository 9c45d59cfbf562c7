package webhook

import (
	"errors"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
)

func FuzzReply(f *testing.F) {
	f.Add(`{"account": "a"}`)
	f.Add(`{"account": ["a"]}`)
	f.Fuzz(func(t *testing.T, body string) {
		id, err := parseReply(strings.NewReader(body))
		if (err == nil) != (id.Subject != "") || err != nil && !errors.Is(err, attester.ErrUnavailable) {
			t.Errorf("%q: %+v, %v", body, id, err)
		}
	})
}

func TestReplyPrefixes(t *testing.T) {
	const reply = `{"account": "a"}`
	for n := range len(reply) {
		if _, err := parseReply(strings.NewReader(reply[:n])); err == nil {
			t.Errorf("prefix %q accepted", reply[:n])
		}
	}
	if _, err := parseReply(strings.NewReader(reply + "x")); err == nil {
		t.Error("trailing octet accepted")
	}
}
