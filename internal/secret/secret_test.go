package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNothingPrintsASecret(t *testing.T) {
	key := []byte("0123456789abcdef")
	s := Clone(key)
	holder := struct {
		name  string
		inner Bytes
		ptr   *Bytes
		Pub   Bytes
	}{"holder", s, &s, s}

	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb, holder)
		fmt.Fprintf(&out, verb, &holder)
		fmt.Fprintf(&out, verb, s)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("event", "secret", s, "holder", holder, "pointer", &holder)
	}
	if b, err := json.Marshal(holder); err == nil {
		t.Errorf("json.Marshal of a struct with an exported secret gave %s, want an error", b)
	}
	for _, leak := range []string{
		string(key), hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)),
		fmt.Sprint(key), strings.Trim(fmt.Sprint(key), "[]"),
	} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("output holds the secret as %q", leak)
		}
	}
}

func TestMarshalRefused(t *testing.T) {
	s := Clone([]byte{1})
	if _, err := s.MarshalText(); !errors.Is(err, ErrMarshal) {
		t.Errorf("MarshalText: %v", err)
	}
	if err := gob.NewEncoder(new(bytes.Buffer)).Encode(s); !errors.Is(err, ErrMarshal) {
		t.Errorf("gob: %v", err)
	}
}

func TestEqualCloneWipe(t *testing.T) {
	b := []byte{1, 2, 3}
	s, c := New(b), Clone(b)
	if !s.Equal(c) || s.Equal(Clone([]byte{1, 2})) || s.Equal(Clone([]byte{1, 2, 4})) {
		t.Error("Equal is wrong")
	}
	s.Wipe()
	if !bytes.Equal(b, make([]byte, 3)) {
		t.Error("Wipe left octets behind")
	}
	if c.Len() != 3 || c.Reveal()[0] != 1 {
		t.Error("Clone shares octets with its source")
	}
	var zero Bytes
	if zero.Len() != 0 || !zero.IsZero() || c.IsZero() || zero.Reveal() != nil {
		t.Error("zero value is wrong")
	}
}
