package move_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/storage/move"
)

const sample = `{"Source":"c3RhdGU=","Total":9,"Records":9,"After":"AAE=","Tables":{"a":{"Rows":2,"Sum":"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"}},"Done":true}`

func TestStateRefuses(t *testing.T) {
	if s, err := move.ParseState([]byte(sample)); err != nil || s.Tables["a"].Rows != 2 || s.Tables["a"].Sum[0] != 0x0807060504030201 {
		t.Fatalf("%+v, %v", s, err)
	}
	refused := []string{sample + "x", sample + "{}", `{"Unknown":1}`, `{"Total":1,"Records":2}`, `{"Total":2,"Records":1,"Done":true}`, `{"Tables":{"a":{"Sum":"00"}}}`}
	for n := range len(sample) {
		refused = append(refused, sample[:n])
	}
	for _, s := range refused {
		if _, err := move.ParseState([]byte(s)); !errors.Is(err, move.ErrState) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"Tables":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := move.ParseState(b)
		if err != nil && !errors.Is(err, move.ErrState) {
			t.Fatal(err)
		}
		if err == nil && s.Records > s.Total {
			t.Fatalf("%+v", s)
		}
	})
}
