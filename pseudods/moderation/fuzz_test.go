package moderation

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
)

func testOpened() *Opened {
	return &Opened{Salt: [32]byte{1}, Report: ds.Report{ID: ds.ReportID{2}, Domain: "provider.example", Credential: mls.BasicCredential([]byte("alice")), Key: make([]byte, 32),
		Reason: 3, Note: []byte("note"), Messages: []ds.ReportedMessage{{Content: []byte("one"), Day: 4}, {Content: []byte("two"), Day: 5}}}}
}

func TestCodec(t *testing.T) {
	o := testOpened()
	b, err := o.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseOpened(b); err != nil || !reflect.DeepEqual(got, o) {
		t.Fatalf("%+v, %v", got, err)
	}
	for n := range b {
		if _, err := parseOpened(b[:n]); !errors.Is(err, ErrReport) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	if _, err := parseOpened(append(b, 0)); !errors.Is(err, ErrReport) {
		t.Errorf("a trailing octet: %v", err)
	}
	b, err = o.Opening().marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseOpening(b); err != nil || !reflect.DeepEqual(got, o.Opening()) {
		t.Fatalf("%+v, %v", got, err)
	}
	for n := range b {
		if _, err := parseOpening(b[:n]); !errors.Is(err, ErrOpening) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	if _, err := parseOpening(append(b, 0)); !errors.Is(err, ErrOpening) {
		t.Errorf("a trailing octet: %v", err)
	}
}

func FuzzReport(f *testing.F) {
	b, _ := testOpened().marshal()
	f.Add(b)
	b, _ = testOpened().Opening().marshal()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := parseOpened(b); err == nil {
			if again, err := o.marshal(); err != nil || !bytes.Equal(again, b) {
				t.Errorf("%x becomes %x, %v", b, again, err)
			}
		}
		if o, err := parseOpening(b); err == nil {
			if again, err := o.marshal(); err != nil || !bytes.Equal(again, b) {
				t.Errorf("%x becomes %x, %v", b, again, err)
			}
		}
	})
}

func FuzzHookAnswer(f *testing.F) {
	f.Add([]byte(`{"decision": "uphold", "weight": "low"}`))
	f.Add([]byte(`{"decision": "later"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, decided, err := parseHookAnswer(b); decided && (err != nil || !o.Valid()) || err != nil && !errors.Is(err, errHook) {
			t.Errorf("%q: %v %t %v", b, o, decided, err)
		}
	})
}

func FuzzDecision(f *testing.F) {
	f.Add([]byte("upheld"), []byte("low"), []byte("x"))
	f.Fuzz(func(t *testing.T, state, weight, opening []byte) {
		d := decision{string(state), string(weight), opening}
		switch o, _, err := d.outcome(); {
		case err == nil && !o.Valid(), err != nil && !errors.Is(err, ErrOutcome) && !errors.Is(err, ErrOpening):
			t.Errorf("%q %q: %v %v", state, weight, o, err)
		}
	})
}
