package host

import (
	"errors"
	"testing"
)

func FuzzReduction(f *testing.F) {
	f.Add([]byte(`{"scheme": "Bearer", "subject": "alice", "percent": 50, "epochs": 7}`))
	f.Add([]byte(`{"scheme": "AccountKey", "subject": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "percent": 50, "epochs": 7}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReduction(b)
		if (err == nil) != (r.Subject != "") || err != nil && !errors.Is(err, ErrReduction) {
			t.Errorf("%q: %+v, %v", b, r, err)
		}
	})
}
