package mls

import (
	"crypto/ecdh"
	"errors"
	"testing"

	"github.com/cloudflare/circl/dh/x448"

	"github.com/pseudods/pseudods/internal/secret"
)

// TestLowOrderKeysRefused: a key that nobody can encrypt to is not a key.
func TestLowOrderKeysRefused(t *testing.T) {
	private, err := ecdh.X25519().NewPrivateKey(append(make([]byte, 31), 77))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range lowOrder25519Points {
		for _, high := range []byte{0, 0x80} {
			point := append([]byte(nil), p...)
			point[31] |= high
			public, err := ecdh.X25519().NewPublicKey(point)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := private.ECDH(public); err == nil {
				t.Errorf("%x is not of small order: the table is wrong", point)
			}
			for _, c := range []CipherSuite{X25519AES128GCM, X25519ChaCha20Poly1305, XWingAES256GCM} {
				s := suites[c]
				key := point
				if c == XWingAES256GCM {
					_, whole, err := s.DeriveKeyPair(secret.Clone(make([]byte, s.HashSize())))
					if err != nil {
						t.Fatal(err)
					}
					key = append(whole[:len(whole)-32:len(whole)-32], point...)
				}
				if err := s.CheckHPKEPublicKey(key); !errors.Is(err, ErrPublicKey) {
					t.Errorf("suite %v, %x: %v", c, point, err)
				}
			}
		}
	}
	var own, shared x448.Key
	own[3] = 77
	for _, p := range lowOrder448Points {
		point := x448.Key(p)
		if x448.Shared(&shared, &own, &point) {
			t.Errorf("%x is not of small order: the table is wrong", p)
		}
		for _, c := range []CipherSuite{X448AES256GCM, X448ChaCha20Poly1305} {
			if err := suites[c].CheckHPKEPublicKey(p); !errors.Is(err, ErrPublicKey) {
				t.Errorf("suite %v, %x: %v", c, p, err)
			}
		}
	}
}
