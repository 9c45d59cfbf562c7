package attester

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Digest is a SHA-256 hash.
type Digest [sha256.Size]byte

// Account is the name under which a [Store] knows an account: 32 octets that
// say nothing about the account to who doesn't hold the naming key.
type Account [32]byte

// Names derives [Account] values: HMAC-SHA256 under a key of the deployment
// over the attester's scheme and the subject.
//
// The key keeps a copy of the store from being searched for guessed subjects,
// such as telephone numbers, and keeps clients from choosing where in the key
// space their rows lie. Whoever holds both the key and the store can test
// guesses.
type Names struct {
	key secret.Bytes
}

// NewNames returns the naming under key, which must have at least 32 octets.
func NewNames(key secret.Bytes) Names {
	if key.Len() < 32 {
		panic("attester: naming key shorter than 32 octets")
	}
	return Names{key}
}

// Account returns the name of a subject of the attester with that scheme.
func (n Names) Account(scheme, subject string) (a Account) {
	mac := hmac.New(sha256.New, n.key.Reveal())
	var w tlscodec.Writer
	w.Opaque([]byte("privacypass attester account"))
	w.Opaque([]byte(scheme))
	w.Opaque([]byte(subject))
	b, err := w.Bytes()
	if err != nil {
		panic(err) // a subject of more than 1 GiB
	}
	mac.Write(b)
	mac.Sum(a[:0])
	return a
}
