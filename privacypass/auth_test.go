package privacypass_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
)

func TestRFC9577HeaderVectors(t *testing.T) {
	for file, count := range map[string]int{"auth_scheme_header_v14.json": 2, "auth_scheme_header_complicated.json": 1} {
		var vs []map[string]json.RawMessage
		load(t, file, &vs)
		if len(vs) != count {
			t.Fatalf("%s: %d vectors", file, len(vs))
		}
		for n, v := range vs {
			get := func(name string, i int, to any) bool {
				raw, ok := v[fmt.Sprintf("%s-%d", name, i)]
				if ok {
					if err := json.Unmarshal(raw, to); err != nil {
						t.Fatal(err)
					}
				}
				return ok
			}
			var header string
			if err := json.Unmarshal(v["WWW-Authenticate"], &header); err != nil {
				t.Fatal(err)
			}
			got, err := privacypass.ParseChallenges([]string{header})
			if err != nil {
				t.Fatalf("%s %d: %v", file, n, err)
			}
			want := 0
			for i := 0; ; i++ {
				var typ uint16
				var age uint64
				var key, challenge octets
				if !get("token-type", i, &typ) {
					break
				}
				want++
				get("token-key", i, &key)
				get("token-challenge", i, &challenge)
				if i >= len(got) {
					continue
				}
				c := got[i]
				if !bytes.Equal(c.Challenge, challenge) || !bytes.Equal(c.TokenKey, key) {
					t.Errorf("%s %d: challenge %d is %x with key %x", file, n, i, c.Challenge, c.TokenKey)
				}
				if get("max-age", i, &age) && (c.MaxAge == nil || *c.MaxAge != age) {
					t.Errorf("%s %d: challenge %d: max-age", file, n, i)
				}
				if p, err := privacypass.ParseTokenChallenge(c.Challenge); err != nil || p.TokenType != privacypass.TokenType(typ) {
					t.Errorf("%s %d: challenge %d: %v", file, n, i, err)
				}
			}
			if len(got) != want || want == 0 {
				t.Errorf("%s %d: %d challenges, want %d", file, n, len(got), want)
			}
			// What we build of it reads the same.
			built, err := privacypass.FormatChallenges(got...)
			if err != nil {
				t.Fatal(err)
			}
			again, err := privacypass.ParseChallenges([]string{built})
			if err != nil || len(again) != len(got) || !bytes.Equal(again[0].TokenKey, got[0].TokenKey) {
				t.Errorf("%s %d: built header: %v", file, n, err)
			}
		}
	}
}

func TestChallengeHeaders(t *testing.T) {
	// "AAUAAWEAAAA=" is a challenge of type 0x0005 with issuer "a"; its length
	// makes the base64 end in padding.
	const good = `PrivateToken challenge="AAUAAWEAAAA="`
	for _, tc := range []struct {
		header string
		count  int // 0 is ErrNoChallenge, -1 is ErrMalformed
	}{
		{good, 1},
		{`privatetoken CHALLENGE="AAUAAWEAAAA="`, 1},
		{`PrivateToken challenge=AAUAAWEAAAA=`, 1},
		{`PrivateToken challenge = "AAUAAWEAAAA=" , max-age="60"`, 1},
		{`PrivateToken challenge="AAUAAWE\AAAA="`, 1},
		{good + `, ` + good, 2},
		{good + `,,` + good + `,`, 2},
		{`Basic realm="a, PrivateToken challenge=\"x\"", ` + good + `, Bearer, Negotiate abc==, ` + good, 2},
		{`Negotiate, ` + good, 1},
		{`NTLM TlRMTVNTUAAB, ` + good, 1},
		{`PrivateToken challenge="AAUAAWEAAAA", ` + good, 1},   // no padding
		{`PrivateToken challenge="AAUAAWEAAAB=", ` + good, 1},  // bits behind the end
		{`PrivateToken challenge="AAUAAWEAAA+=", ` + good, 1},  // other alphabet
		{`PrivateToken challenge="AAUA AWEAAAA=", ` + good, 1}, // white space
		{`PrivateToken max-age=1, ` + good, 1},                 // no challenge
		{good + `, challenge="AAUAAWEAAAA=", ` + good, 1},      // twice in one
		{good + `, max-age="-1"`, 0},                           // not a number of seconds
		{good + `, max-age=99999999999999999999`, 0},           // out of range
		{good + `, token-key="?"`, 0},                          // broken key
		{`PrivateToken challenge="AA=="`, 0},                   // shorter than a type
		{`Basic realm="x"`, 0},
		{``, 0},
		{` , ,`, 0},
		{`PrivateToken challenge="AAUA`, -1},
		{`PrivateToken challenge="a" b`, -1},
		{`PrivateToken challenge=`, 0}, // a token68 by the grammar
		{`"quoted"`, -1},
		{`PrivateToken challenge="a` + "\x00" + `"`, -1},
		{`PrivateToken challenge="a` + "\n" + `"`, -1},
		{`Foo: bar`, -1},
		{strings.Repeat("a,", 100), -1},
		{"A " + strings.Repeat(`b=c,`, 100), -1},
		{strings.Repeat(" ", privacypass.MaxHeaderSize+1), -1},
	} {
		got, err := privacypass.ParseChallenges([]string{tc.header})
		switch {
		case tc.count > 0 && (err != nil || len(got) != tc.count):
			t.Errorf("%.60q: %d challenges, %v; want %d", tc.header, len(got), err, tc.count)
		case tc.count == 0 && !errors.Is(err, privacypass.ErrNoChallenge),
			tc.count < 0 && !errors.Is(err, privacypass.ErrMalformed):
			t.Errorf("%.60q: %d challenges, %v", tc.header, len(got), err)
		}
	}
	// Several fields count together.
	if got, err := privacypass.ParseChallenges([]string{`Basic realm="a"`, good, good}); err != nil || len(got) != 2 {
		t.Errorf("three fields: %d, %v", len(got), err)
	}
	half := strings.Repeat(" ", privacypass.MaxHeaderSize/2+1)
	if _, err := privacypass.ParseChallenges([]string{half, half}); !errors.Is(err, privacypass.ErrMalformed) {
		t.Errorf("fields over the size together: %v", err)
	}
}

func TestFormatChallenges(t *testing.T) {
	age := uint64(60)
	in := []privacypass.Challenge{
		{Challenge: []byte{0, 5, 1, 2}, TokenKey: []byte{9}, MaxAge: &age, Realm: `a "quoted\ realm"`},
		{Challenge: []byte{0xf0, 0x57}},
	}
	header, err := privacypass.FormatChallenges(in...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := privacypass.ParseChallenges([]string{header})
	if err != nil || len(out) != 2 {
		t.Fatalf("%s: %v", header, err)
	}
	if !bytes.Equal(out[0].Challenge, in[0].Challenge) || !bytes.Equal(out[0].TokenKey, in[0].TokenKey) ||
		*out[0].MaxAge != age || out[0].Realm != in[0].Realm || out[1].MaxAge != nil || out[1].TokenKey != nil {
		t.Errorf("%+v", out)
	}
	for _, bad := range []privacypass.Challenge{{}, {Challenge: []byte{0}}, {Challenge: []byte{0, 5}, Realm: "a\r\nb"}} {
		if _, err := privacypass.FormatChallenges(bad); !errors.Is(err, privacypass.ErrInvalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestGrease: a client that meets reserved types finds the challenge it can use.
func TestGrease(t *testing.T) {
	real := privacypass.Challenge{Challenge: encode(&privacypass.TokenChallenge{TokenType: privacypass.BlindRSA, IssuerName: "i"})}
	r := mathrand.NewChaCha8([32]byte{1})
	types := map[privacypass.TokenType]bool{}
	for range 300 {
		grease, err := privacypass.GreaseChallenge(r)
		if err != nil {
			t.Fatal(err)
		}
		header, err := privacypass.FormatChallenges(grease, real)
		if err != nil {
			t.Fatal(err)
		}
		got, err := privacypass.ParseChallenges([]string{header})
		if err != nil || len(got) != 2 {
			t.Fatalf("%d challenges, %v", len(got), err)
		}
		typ, err := privacypass.ChallengeType(got[0].Challenge)
		if err != nil || !typ.IsGrease() {
			t.Fatalf("type %v, %v", typ, err)
		}
		types[typ] = true
		if _, err := privacypass.ParseTokenChallenge(got[0].Challenge); !errors.Is(err, privacypass.ErrTokenType) {
			t.Fatalf("%v", err)
		}
		usable := slices.IndexFunc(got, func(c privacypass.Challenge) bool {
			_, err := privacypass.ParseTokenChallenge(c.Challenge)
			return err == nil
		})
		if usable != 1 {
			t.Fatalf("challenge %d is usable", usable)
		}
	}
	if len(types) != 17 {
		t.Errorf("%d reserved types drawn in 300", len(types))
	}
	if _, err := privacypass.GreaseChallenge(strings.NewReader("short")); err == nil {
		t.Error("a failing random source went unnoticed")
	}
}

func TestCredentials(t *testing.T) {
	in := privacypass.Credential{Token: make([]byte, 162), Extensions: []byte{0, 0}}
	rand.Read(in.Token)
	out, err := privacypass.ParseCredential(in.Format())
	if err != nil || !bytes.Equal(out.Token, in.Token) || !bytes.Equal(out.Extensions, in.Extensions) {
		t.Errorf("%s: %v", in.Format(), err)
	}
	in.Extensions = nil
	if out, err = privacypass.ParseCredential(in.Format()); err != nil || out.Extensions != nil {
		t.Errorf("%s: %v", in.Format(), err)
	}
	for header, want := range map[string]error{
		`PrivateToken token="AAU="`:                            nil,
		`privatetoken Token=AAU=`:                              nil,
		`PrivateToken unknown="x", token="AAU="`:               nil,
		`PrivateToken unknown="x"`:                             privacypass.ErrMalformed,
		`PrivateToken`:                                         privacypass.ErrMalformed,
		`PrivateToken AAU=`:                                    privacypass.ErrMalformed,
		`PrivateToken token="AAU"`:                             privacypass.ErrMalformed,
		`PrivateToken token="AAU=", token="AAU="`:              privacypass.ErrMalformed,
		`PrivateToken token="AAU=", extensions="?"`:            privacypass.ErrMalformed,
		`PrivateToken token="AAU=", PrivateToken token="AAU="`: privacypass.ErrMalformed,
		`Bearer AAU=`:                                          privacypass.ErrNoCredential,
		``:                                                     privacypass.ErrNoCredential,
		`PrivateToken token="` + strings.Repeat("A", privacypass.MaxHeaderSize) + `"`: privacypass.ErrMalformed,
	} {
		if _, err := privacypass.ParseCredential(header); !errors.Is(err, want) {
			t.Errorf("%.60q: %v, want %v", header, err, want)
		}
	}
}
