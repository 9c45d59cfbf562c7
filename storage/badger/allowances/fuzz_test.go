package allowances

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
)

func FuzzStanding(f *testing.F) {
	f.Add(marshalStanding(attester.Standing{}))
	f.Add(marshalStanding(attester.Standing{Seen: true, First: 7, Cut: attester.Cut{Percent: 100, Until: 1 << 63}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStanding(b)
		if err == nil && !bytes.Equal(marshalStanding(s), b) {
			t.Errorf("%x parses as %+v, which is another encoding", b, s)
		}
	})
}

func TestStandingPrefixes(t *testing.T) {
	b := marshalStanding(attester.Standing{Seen: true, First: 7, Cut: attester.Cut{Percent: 20, Until: 9}})
	for n := range b {
		if _, err := parseStanding(b[:n]); err == nil {
			t.Errorf("prefix of %d octets accepted", n)
		}
	}
	if _, err := parseStanding(append(b, 0)); err == nil {
		t.Error("trailing octet accepted")
	}
}
