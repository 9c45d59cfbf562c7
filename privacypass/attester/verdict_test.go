package attester

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"testing"
	"time"
)

func verdictKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func serviceKeys(keys ...ed25519.PrivateKey) Keys {
	out := Keys{}
	for _, k := range keys {
		out[[32]byte(k.Public().(ed25519.PublicKey))] = struct{}{}
	}
	return out
}

func testVerdict() *Verdict {
	return &Verdict{Issuer: "issuer.example", ID: [16]byte{1, 2}, Day: DayOf(noon), Weight: Normal, Key: [32]byte{7}, Credential: []byte("credential")}
}

func TestVerdict(t *testing.T) {
	v, key := testVerdict(), verdictKey(1)
	signed, err := v.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	services := serviceKeys(key, verdictKey(2))
	got, err := OpenVerdict(signed, services, "issuer.example", noon)
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, tc := range map[string]struct {
		services Keys
		issuer   string
		now      time.Time
		want     error
	}{
		"a service that is not known": {serviceKeys(verdictKey(2)), v.Issuer, noon, ErrVerdictForged},
		"no services":                 {nil, v.Issuer, noon, ErrVerdictForged},
		"another issuer":              {services, "issuer.example.org", noon, ErrVerdictForeign},
		"days later":                  {services, v.Issuer, v.Expires().Add(-time.Second), nil},
		"too late":                    {services, v.Issuer, v.Expires(), ErrVerdictStale},
		"a clock behind":              {services, v.Issuer, noon.Add(-24 * time.Hour), nil},
		"from the future":             {services, v.Issuer, noon.Add(-48 * time.Hour), ErrVerdictStale},
	} {
		if _, err := OpenVerdict(signed, tc.services, tc.issuer, tc.now); !errors.Is(err, tc.want) || err != nil && !errors.Is(err, ErrVerdict) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	for n := range signed {
		if _, err := OpenVerdict(signed[:n], services, v.Issuer, noon); !errors.Is(err, ErrVerdictMalformed) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	if _, err := OpenVerdict(append(bytes.Clone(signed), 0), services, v.Issuer, noon); !errors.Is(err, ErrVerdictMalformed) {
		t.Errorf("a trailing octet: %v", err)
	}
	for i := range signed {
		mauled := bytes.Clone(signed)
		mauled[i] ^= 1
		if _, err := OpenVerdict(mauled, services, v.Issuer, noon); !errors.Is(err, ErrVerdictForged) && !errors.Is(err, ErrVerdictMalformed) {
			t.Fatalf("octet %d altered: %v", i, err)
		}
	}
}

func TestVerdictBounds(t *testing.T) {
	for name, alter := range map[string]func(*Verdict){
		"no issuer":          func(v *Verdict) { v.Issuer = "" },
		"a long issuer":      func(v *Verdict) { v.Issuer = string(make([]byte, 256)) },
		"a long credential":  func(v *Verdict) { v.Credential = make([]byte, maxVerdictCredential+1) },
		"no weight":          func(v *Verdict) { v.Weight = 0 },
		"a weight not known": func(v *Verdict) { v.Weight = 4 },
	} {
		v := testVerdict()
		alter(v)
		if _, err := v.Sign(verdictKey(1)); !errors.Is(err, ErrVerdictMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	largest := testVerdict()
	largest.Issuer, largest.Credential = string(make([]byte, 255)), make([]byte, maxVerdictCredential)
	if b, err := largest.Sign(verdictKey(1)); err != nil || len(b) > MaxVerdict {
		t.Errorf("%d octets, %v", len(b), err)
	}
	for _, w := range Weights {
		if got, err := ParseWeight(w.String()); err != nil || got != w {
			t.Errorf("%v: %v, %v", w, got, err)
		}
	}
	if _, err := ParseWeight("heavy"); !errors.Is(err, ErrWeight) {
		t.Error(err)
	}
}

// FuzzVerdict: what is read is written the same again, and nothing that another
// wrote is accepted.
func FuzzVerdict(f *testing.F) {
	v := testVerdict()
	b, err := v.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	signed, err := v.Sign(verdictKey(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(signed)
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := ParseVerdict(b); err == nil {
			if again, err := v.Marshal(); err != nil || !bytes.Equal(again, b) {
				t.Errorf("%x becomes %x, %v", b, again, err)
			}
		}
		if _, err := OpenVerdict(b, serviceKeys(verdictKey(2)), v.Issuer, noon); !errors.Is(err, ErrVerdictForged) && !errors.Is(err, ErrVerdictMalformed) {
			t.Errorf("%x: %v", b, err)
		}
	})
}
