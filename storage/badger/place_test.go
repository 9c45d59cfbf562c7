package badger

import (
	"context"
	"errors"
	"testing"
)

// TestPlaces: a place is noted, found again and used as long as it is that of the
// record, and never leads to another one, also not to one that a refused request left.
func TestPlaces(t *testing.T) {
	db, err := Open(Config{Dir: t.TempDir(), Format: Format{Name: "places", Version: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	refused := errors.New("refused")
	submit := func(want error, f func(*Tx)) {
		t.Helper()
		err := db.Submit(context.Background(), func(tx *Tx) error { f(tx); return want })
		if !errors.Is(err, want) {
			t.Fatal(err)
		}
	}
	var p, q Place
	submit(refused, func(tx *Tx) { tx.PutAt(&p, []byte("a"), []byte("0")) })
	gone := p
	submit(nil, func(tx *Tx) { tx.PutAt(&p, []byte("a"), []byte("1")) })
	if p == gone {
		t.Fatal("the place of a record that is gone was given to another")
	}
	submit(nil, func(tx *Tx) {
		had := p
		if tx.PutAt(&p, []byte("a"), []byte("2")); p != had {
			t.Error("a record has moved")
		}
		q = p
		tx.PutAt(&q, []byte("b"), []byte("3")) // not its place
		if q == p {
			t.Error("two records are in one place")
		}
		if swapped := q; !tx.ExtendAt(&swapped, []byte("a"), []byte("+")) || swapped != p {
			t.Error("a place was not put right")
		}
		if tx.ExtendAt(&q, []byte("c"), []byte("+")) {
			t.Error("extended what is not there")
		}
	})
	if err := db.submit(context.Background(), &request{rotate: true}); err != nil {
		t.Fatal(err)
	}
	submit(nil, func(tx *Tx) {
		if tx.PutAt(&q, []byte("c"), []byte("4")); q.layer == p.layer {
			t.Error("a place of two journals")
		}
		if tx.ExtendAt(&p, []byte("a"), []byte("+")) {
			t.Error("extended what has moved")
		}
	})
	for key, want := range map[string]string{"a": "2+", "b": "3", "c": "4"} {
		if v, err := db.Get([]byte(key)); err != nil || string(v) != want {
			t.Errorf("%s: %q, %v", key, v, err)
		}
	}
}
