package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const keyPackageSalt = 32

// KeyPackageKey opens the KeyPackages of a pool. Its owner gives it to those who
// may use them: to contacts, or with a card. The queue service does not have it,
// so that it cannot tell which pseudonyms come out of one pool.
type KeyPackageKey struct{ secret.Bytes }

// PoolKeyOf returns the key of the group pools of a user whose
// [wire.Contact].LinkWrap it is.
func PoolKeyOf(linkWrap secret.Bytes) KeyPackageKey {
	return poolKey(linkWrap, "pseudods 1.0 group pool")
}

// CardKeyOf returns the key of the connection pools of a user with that LinkWrap,
// which stands in its cards. It does not tell the LinkWrap.
func CardKeyOf(linkWrap secret.Bytes) KeyPackageKey {
	return poolKey(linkWrap, "pseudods 1.0 connection pool")
}

func poolKey(linkWrap secret.Bytes, label string) KeyPackageKey {
	h := hmac.New(sha256.New, linkWrap.Reveal())
	h.Write([]byte(label))
	return KeyPackageKey{secret.New(h.Sum(nil))}
}

// derive returns a key that is used once, from the salt.
func (k KeyPackageKey) derive(salt []byte) []byte {
	if k.Len() != wire.PackageKeySize {
		panic("seal: key of a pool of a wrong size")
	}
	h := hmac.New(sha256.New, k.Reveal())
	h.Write([]byte("pseudods 1.0 KeyPackage"))
	h.Write(salt)
	return h.Sum(nil)
}

// SealKeyPackage encrypts an encoded KeyPackage for a pool, padded. It fails with
// [ErrTooLarge] or if rand does.
func SealKeyPackage(rand io.Reader, key KeyPackageKey, pool wire.PoolID, encoded []byte) ([]byte, error) {
	padded, err := pad(encoded)
	if err != nil {
		return nil, err
	}
	out := make([]byte, keyPackageSalt, keyPackageSalt+len(padded)+16)
	if _, err := io.ReadFull(rand, out); err != nil {
		return nil, err
	}
	return newGCM(key.derive(out)).Seal(out, zeroNonce[:], padded, pool[:]), nil
}

// OpenKeyPackage opens what [SealKeyPackage] made. It fails with [ErrOpen].
func OpenKeyPackage(key KeyPackageKey, pool wire.PoolID, sealed []byte) ([]byte, error) {
	if len(sealed) < keyPackageSalt {
		return nil, ErrOpen
	}
	salt := sealed[:keyPackageSalt]
	padded, err := newGCM(key.derive(salt)).Open(nil, zeroNonce[:], sealed[keyPackageSalt:], pool[:])
	if err != nil {
		return nil, ErrOpen
	}
	return unpad(padded)
}
