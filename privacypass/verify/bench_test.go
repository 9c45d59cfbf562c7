package verify_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"testing"

	"github.com/cloudflare/circl/oprf"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

// BenchmarkRedeem verifies one token: ours from the token's octets, with key
// lookup and challenge check; the baselines are circl's VerifyFinalize and
// crypto/rsa's VerifyPSS on the parts.
func BenchmarkRedeem(b *testing.B) {
	baseline := map[privacypass.TokenType]func(*testing.B, issuer.Key, *privacypass.Token){
		privacypass.VOPRFP384:         func(b *testing.B, k issuer.Key, t *privacypass.Token) { circlRedeem(b, oprf.SuiteP384, k, t) },
		privacypass.VOPRFRistretto255: func(b *testing.B, k issuer.Key, t *privacypass.Token) { circlRedeem(b, oprf.SuiteRistretto255, k, t) },
		privacypass.BlindRSA:          rsaRedeem,
	}
	for _, typ := range privacypass.TokenTypes() {
		k, err := issuer.GenerateKey(typ, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		f := newFixture(b, k)
		token := f.issue(b)
		encoded, err := token.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(typ.String()+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				t, err := privacypass.ParseToken(encoded)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.set.Verify(t, f.expected); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(typ.String()+"/baseline", func(b *testing.B) { baseline[typ](b, k, token) })
	}
}

func circlRedeem(b *testing.B, s oprf.Suite, k issuer.Key, t *privacypass.Token) {
	var key oprf.PrivateKey
	if err := key.UnmarshalBinary(s, k.Marshal().Reveal()[2:]); err != nil {
		b.Fatal(err)
	}
	server := oprf.NewVerifiableServer(s, &key)
	in := t.AuthenticatorInput()
	for b.Loop() {
		if !server.VerifyFinalize(in[:], t.Authenticator) {
			b.Fatal("token refused")
		}
	}
}

func rsaRedeem(b *testing.B, k issuer.Key, t *privacypass.Token) {
	parsed, err := x509.ParsePKCS8PrivateKey(k.Marshal().Reveal()[2:])
	if err != nil {
		b.Fatal(err)
	}
	public := parsed.(*rsa.PrivateKey).PublicKey
	opts := &rsa.PSSOptions{SaltLength: sha512.Size384}
	in := t.AuthenticatorInput()
	for b.Loop() {
		digest := sha512.Sum384(in[:])
		if err := rsa.VerifyPSS(&public, crypto.SHA384, digest[:], t.Authenticator, opts); err != nil {
			b.Fatal(err)
		}
	}
}
