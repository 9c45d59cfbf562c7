package attester

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var description = Description{
	Issuer: "issuer.example", PeriodSeconds: 86400,
	Classes:   []ClassDescription{{"send", "/send/directory", []int{1, 32}, 320}},
	Attesters: []AttesterDescription{{Scheme: InviteScheme}, {ProofOfWorkScheme, &cheap}},
}

func TestDescription(t *testing.T) {
	b, err := json.Marshal(description)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDescription(b)
	if err != nil || !reflect.DeepEqual(*d, description) {
		t.Fatalf("%+v, %v", d, err)
	}
	for n := range b {
		if _, err := ParseDescription(b[:n]); !errors.Is(err, ErrDescription) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	text := string(b)
	for name, bad := range map[string]string{
		"trailing octet": text + "x",
		"second value":   text + "{}",
		"null":           "null",
		"list":           "[]",
		"unknown member": strings.Replace(text, `"issuer"`, `"more":1,"issuer"`, 1),
		"no issuer":      strings.Replace(text, "issuer.example", "", 1),
		"no period":      strings.Replace(text, "86400", "0", 1),
		"no class name":  strings.Replace(text, `"name":"send"`, `"name":""`, 1),
		"no batch size":  strings.Replace(text, "[1,32]", "[]", 1),
		"scheme":         strings.Replace(text, `"Invite"`, `"In vite"`, 1),
		"work":           strings.Replace(text, `"passes":1`, `"passes":0`, 1),
		"long":           text + strings.Repeat(" ", MaxDescription),
	} {
		if _, err := ParseDescription([]byte(bad)); !errors.Is(err, ErrDescription) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDescription(f *testing.F) {
	b, _ := json.Marshal(description)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDescription(b)
		if err != nil {
			if !errors.Is(err, ErrDescription) {
				t.Errorf("untyped error %v", err)
			}
			return
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := ParseDescription(again); err != nil || !reflect.DeepEqual(d, e) {
			t.Errorf("%s is not stable: %v", b, err)
		}
	})
}
