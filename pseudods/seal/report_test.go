package seal

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/pseudods/wire"
)

func TestReport(t *testing.T) {
	for _, kem := range []wire.KEM{wire.X25519, wire.XWing} {
		key, err := GenerateKey(kem)
		if err != nil {
			t.Fatal(err)
		}
		place, report := []byte("place"), []byte("they sent this")
		sealed, err := SealReport(key.Public(), place, report)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := OpenReport(key, place, sealed); err != nil || !bytes.Equal(got, report) {
			t.Fatalf("%q, %v", got, err)
		}
		if other, err := SealReport(key.Public(), place, []byte("and that too")); err != nil || len(other) != len(sealed) {
			t.Errorf("the length tells the report's: %d and %d, %v", len(sealed), len(other), err)
		}
		if _, err := OpenReport(key, []byte("another place"), sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("in another place: %v", err)
		}
		stranger, err := GenerateKey(kem)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenReport(stranger, place, sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("with another key: %v", err)
		}
		for n := range sealed {
			if _, err := OpenReport(key, place, sealed[:n]); !errors.Is(err, ErrOpen) {
				t.Fatalf("prefix of %d octets: %v", n, err)
			}
		}
		if _, err := OpenReport(key, place, append(sealed, 0)); !errors.Is(err, ErrOpen) {
			t.Errorf("a trailing octet: %v", err)
		}
	}
	if _, err := SealReport(&wire.HPKEKey{KEM: wire.X25519, Public: []byte{1}}, nil, nil); !errors.Is(err, ErrKey) {
		t.Errorf("no key: %v", err)
	}
}
