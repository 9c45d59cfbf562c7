package allowances

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
)

func FuzzStanding(f *testing.F) {
	f.Add(marshalStanding(attester.Standing{}))
	f.Add(marshalStanding(attester.Standing{Seen: true, First: 7, Cut: attester.Cut{Percent: 100, Full: 1<<63 - 1, Until: 1 << 63}}))
	f.Add(marshalStanding(attester.Standing{Seen: true, First: 7, Cut: attester.Cut{Percent: 90, From: 8, Full: 9, Until: 1 << 63, Strikes: 2, Last: 8}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStanding(b)
		if err == nil && !bytes.Equal(marshalStanding(s), b) {
			t.Errorf("%x parses as %+v, which is another encoding", b, s)
		}
	})
}

func TestStandingPrefixes(t *testing.T) {
	for _, cut := range []attester.Cut{{Percent: 20, Full: 8, Until: 9}, attester.NewCut(20, 8, 1, 9)} {
		b := marshalStanding(attester.Standing{Seen: true, First: 7, Cut: cut})
		for n := range b {
			if _, err := parseStanding(b[:n]); err == nil {
				t.Errorf("prefix of %d octets accepted", n)
			}
		}
		if _, err := parseStanding(append(b, 0)); err == nil {
			t.Error("trailing octet accepted")
		}
	}
}

// TestFirstStandings: standings that were written when cuts did not fade are read as
// they were meant, and written the same again.
func TestFirstStandings(t *testing.T) {
	for _, tc := range []struct {
		stored []byte
		want   attester.Standing
	}{
		{[]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), attester.Standing{}},
		{[]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00"), attester.Standing{Seen: true, First: 7}},
		{[]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x07\x32\x00\x00\x00\x00\x00\x00\x00\x0a"), attester.Standing{Seen: true, First: 7, Cut: attester.Cut{Percent: 50, Full: 9, Until: 10}}},
	} {
		s, err := parseStanding(tc.stored)
		if err != nil || s != tc.want || !bytes.Equal(marshalStanding(s), tc.stored) {
			t.Errorf("%x: %+v, %v", tc.stored, s, err)
		}
	}
	if s := (attester.Cut{Percent: 50, Full: 9, Until: 10}); s.Share(0) != 50 || s.Share(9) != 50 || s.Share(10) != 0 {
		t.Error("a step is none")
	}
}
