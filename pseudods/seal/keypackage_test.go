package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func TestKeyPackagesOpenForTheirPoolAndKey(t *testing.T) {
	wrap := func(n byte) secret.Bytes { return secret.New(bytes.Repeat([]byte{n}, wire.LinkWrapSize)) }
	key, pool, encoded := PoolKeyOf(wrap(1)), wire.PoolID{1}, bytes.Repeat([]byte{7}, 900)
	sealed, err := SealKeyPackage(rand.Reader, key, pool, encoded)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenKeyPackage(key, pool, sealed); err != nil || !bytes.Equal(got, encoded) {
		t.Fatalf("KeyPackage changes on the way: %v", err)
	}
	if bytes.Contains(sealed, encoded[:8]) || len(sealed) != keyPackageSalt+PaddedSize(4+len(encoded))+16 {
		t.Error("the KeyPackage shows, or its length")
	}
	if again, err := SealKeyPackage(rand.Reader, key, pool, encoded); err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealed twice alike: %v", err)
	}
	if _, err := OpenKeyPackage(PoolKeyOf(wrap(2)), pool, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("other key: %v", err)
	}
	if _, err := OpenKeyPackage(key, wire.PoolID{2}, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("other pool: %v", err)
	}
	for n := range sealed {
		if _, err := OpenKeyPackage(key, pool, sealed[:n]); !errors.Is(err, ErrOpen) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	if _, err := OpenKeyPackage(key, pool, append(bytes.Clone(sealed), 0)); !errors.Is(err, ErrOpen) {
		t.Errorf("trailing octet: %v", err)
	}
}
