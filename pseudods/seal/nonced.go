package seal

import (
	"io"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/pseudods/pseudods/internal/secret"
)

// NoncedKeySize is the size of a key of [SealNonced] in octets.
const NoncedKeySize = chacha20poly1305.KeySize

// SealNonced encrypts under XChaCha20-Poly1305 with a random nonce in front: one
// key seals at most a few times, and 24 random octets do not repeat. It fails with
// [ErrKey], or if rand does.
func SealNonced(rand io.Reader, key secret.Bytes, plain, aad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key.Reveal())
	if err != nil {
		return nil, ErrKey
	}
	out := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := io.ReadFull(rand, out); err != nil {
		return nil, err
	}
	return aead.Seal(out, out, plain, aad), nil
}

// OpenNonced opens what [SealNonced] made. It fails with [ErrOpen].
func OpenNonced(key secret.Bytes, sealed, aad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key.Reveal())
	if err != nil || len(sealed) < aead.NonceSize() {
		return nil, ErrOpen
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
