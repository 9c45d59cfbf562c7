package attester

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestParams(t *testing.T) {
	want := map[string]string{"a": "1", "b": "x y"}
	for _, good := range []string{`S a=1, b="x y"`, `s  b="x y" ,	a=1`, `S a="1",B="x y"`} {
		if got, err := Params(good, "S", "a", "b"); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v", good, got, err)
		}
	}
	for _, bad := range []string{
		"", "S", "S ", "T a=1, b=2", `S a=1`, `S a=1,`, `S a=1, b=2, c=3`, `S a=1, a=2`, `S a=1, b="2`, `S a=1, b="2"x`, `S a=1 b=2`,
		`S a=, b=2`, `S a="", b=2`, `S a="\"", b=2`, `S a=1, b=2 `, "S a=1, b=\"\x01\"", `S a=1;b=2`, `S a=(1), b=2`, `S =1, b=2`,
		"S a=1, b=" + strings.Repeat("x", MaxAuthorization),
	} {
		if got, err := Params(bad, "S", "a", "b"); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.40q: %v, %v", bad, got, err)
		}
	}
}

func TestToken68(t *testing.T) {
	for _, good := range []string{"a", "aA0-._~+/", "aa==", "a=============="} {
		if got, err := Token68("Scheme "+good, "scheme"); err != nil || got != good {
			t.Errorf("%q: %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", "=", "a b", "a=b", `"a"`, "a,b", "ä", strings.Repeat("x", MaxAuthorization)} {
		if got, err := Token68("Scheme "+bad, "scheme"); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.40q: %q, %v", bad, got, err)
		}
	}
}

func TestScheme(t *testing.T) {
	for in, want := range map[string]string{"Invite abc": "invite", "bearer": "bearer", "": "", " x": "", `"x" y`: "",
		"X " + strings.Repeat("x", MaxAuthorization): ""} {
		if got := Scheme(in); got != want {
			t.Errorf("%.20q: %q, want %q", in, got, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"https://a.example/x", "http://127.0.0.1:1/", "http://[::1]/", "http://localhost:80"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "http://a.example", "http://127.0.0.1.example/", "/x", "https://", "ftp://127.0.0.1/", "://"} {
		if err := CheckURL(bad); !errors.Is(err, ErrURL) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
