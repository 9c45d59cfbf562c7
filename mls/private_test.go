package mls_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// TestPaddingMustBeZero: what follows the content of a PrivateMessage may be
// zeros alone, or it would be a covert channel (RFC 9420, Section 6.3.1).
func TestPaddingMustBeZero(t *testing.T) {
	s := mustSuite(t, mls.X25519AES128GCM)
	keys := s.NewSecretTree(s.ZeroSecret(), 2, mls.Window{})
	key, err := keys.Next(0, mls.ContentTypeApplication)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		padding []byte
		want    error
	}{
		{nil, nil}, {make([]byte, 100), nil},
		{[]byte{1}, mls.ErrPadding}, {[]byte{0, 0, 0, 1}, mls.ErrPadding}, {[]byte{0x80, 0}, mls.ErrPadding},
	} {
		m := &mls.PrivateMessage{GroupID: []byte("group"), ContentType: mls.ContentTypeApplication}
		var aad, plain tlscodec.Writer
		aad.Opaque(m.GroupID)
		aad.Uint64(m.Epoch)
		aad.Uint8(uint8(m.ContentType))
		aad.Opaque(m.AuthenticatedData)
		plain.Opaque([]byte("hello"))
		plain.Opaque([]byte("signature"))
		plain.Raw(tc.padding)
		ad, _ := aad.Bytes()
		pt, _ := plain.Bytes()
		m.Ciphertext = s.Seal(key.Key.Reveal(), key.Nonce.Reveal(), ad, pt)
		a, _, err := m.Open(s, keys, &mls.SenderData{Generation: key.Generation})
		if !errors.Is(err, tc.want) {
			t.Errorf("padding %x: %v, want %v", tc.padding, err, tc.want)
		}
		if err == nil && string(a.Content.ApplicationData) != "hello" {
			t.Errorf("padding %x: other content", tc.padding)
		}
	}
}
