package privacypass_test

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
)

// fuzz holds one parser of octets to its promises: it never panics, allocates in
// proportion to its input, and gives back the octets of all it accepts.
func fuzz(f *testing.F, names ...string) {
	for _, name := range names {
		for _, s := range parsers[name].samples() {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range names {
			m, err := parsers[name].parse(b)
			if err != nil {
				continue
			}
			back, err := m.Marshal()
			if err != nil || !bytes.Equal(back, b) {
				t.Errorf("%s: %x encodes as %x, %v", name, b, back, err)
			}
		}
	})
}

func FuzzTokenChallenge(f *testing.F)   { fuzz(f, "TokenChallenge") }
func FuzzToken(f *testing.F)            { fuzz(f, "Token") }
func FuzzTokenRequest(f *testing.F)     { fuzz(f, "TokenRequest") }
func FuzzAmortizedRequest(f *testing.F) { fuzz(f, "AmortizedRequest") }
func FuzzGenericRequest(f *testing.F)   { fuzz(f, "GenericRequest") }
func FuzzGenericResponse(f *testing.F)  { fuzz(f, "GenericResponse") }
func FuzzExtensions(f *testing.F)       { fuzz(f, "Extensions") }

func FuzzTokenResponse(f *testing.F) {
	fuzz(f, "TokenResponse 0x0001", "TokenResponse 0x0002", "TokenResponse 0x0005")
}

func FuzzAmortizedResponse(f *testing.F) {
	fuzz(f, "AmortizedResponse 0x0001", "AmortizedResponse 0x0005")
}

func FuzzDirectory(f *testing.F) {
	f.Add([]byte(`{"issuer-request-uri":"/r","token-keys":[{"token-type":999,"token-key":"AAAA","not-before":7}],"x":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := privacypass.ParseDirectory(b)
		if err != nil {
			return
		}
		out, err := d.Marshal()
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if again, err := privacypass.ParseDirectory(out); err != nil || len(again.Keys) != len(d.Keys) {
			t.Fatalf("%q became %q: %v", b, out, err)
		}
	})
}

func FuzzChallenges(f *testing.F) {
	f.Add(`PrivateToken challenge="AAUAAWEAAAA=", token-key="AAAA", max-age=1, realm="a\"b", Negotiate abc=, Basic realm=x`)
	f.Add(`Bearer,, PrivateToken challenge=AAUAAWEAAAA=`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := privacypass.ParseChallenges([]string{s})
		if err != nil {
			return
		}
		for i := range got {
			got[i].Realm = "" // may hold what a header of ours would not
		}
		header, err := privacypass.FormatChallenges(got...)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		again, err := privacypass.ParseChallenges([]string{header})
		if len(header) <= privacypass.MaxHeaderSize && (err != nil || len(again) != len(got)) {
			t.Fatalf("%q became %q: %v", s, header, err)
		}
	})
}

func FuzzCredential(f *testing.F) {
	f.Add(`PrivateToken token="AAUA", extensions="AAA="`)
	f.Add(`PrivateToken x=y, token=AAU=`)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := privacypass.ParseCredential(s)
		if err != nil {
			return
		}
		again, err := privacypass.ParseCredential(c.Format())
		if len(c.Format()) <= privacypass.MaxHeaderSize && (err != nil || !bytes.Equal(again.Token, c.Token)) {
			t.Fatalf("%q became %q: %v", s, c.Format(), err)
		}
	})
}
