package keyring

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
)

func parse(b []byte) (*Key, error) { return parseKey(secret.Clone(b)) }

func FuzzKeyFile(f *testing.F) {
	c := config(f)
	r := open(f, c)
	advance(f, r, origin)
	f.Add(r.All()[0].marshal().Reveal())
	f.Add([]byte("-----BEGIN PRIVACY PASS ISSUER KEY-----\n-----END PRIVACY PASS ISSUER KEY-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parse(b)
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Errorf("untyped error %v", err)
			}
			return
		}
		if !bytes.Equal(k.marshal().Reveal(), b) {
			t.Errorf("%q is written in another form", b)
		}
	})
}
