package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/verify"
)

// RequestDigest is the SHA-256 digest of a whole request as its sender signed
// it. Two requests with the same digest ask for the same action.
type RequestDigest [sha256.Size]byte

// Nullifier stands for a spent token in a ledger.
type Nullifier [16]byte

// Tag is what a ledger stores beside a nullifier: it stands for the request that
// the token was spent on.
type Tag [16]byte

// NullifierKeySize is the size of a ledger's secret in octets.
const NullifierKeySize = 32

// ErrNullifierKey: the secret has the wrong size, or is not the one that the
// ledger was made with.
var ErrNullifierKey = errors.New("tokens: wrong nullifier key")

// ErrRecord: a ledger record is not one.
var ErrRecord = errors.New("tokens: malformed ledger record")

// NullifierKey turns tokens and requests into what a ledger stores. Nonces are
// chosen by clients: under a keyed function they can neither skew a partition
// nor look for collisions. Request digests are known to other stores: under the
// key, and bound to the nullifier, a copy of this store cannot be joined with
// them. The key belongs with the service's other secrets, never in the ledger's
// store. It must not change as long as the store lives, or every token in it is
// spendable again: hence [NullifierKey.Check].
type NullifierKey struct {
	key secret.Bytes
}

// NewNullifierKey takes [NullifierKeySize] uniformly random octets.
func NewNullifierKey(key secret.Bytes) (NullifierKey, error) {
	if key.Len() != NullifierKeySize {
		return NullifierKey{}, fmt.Errorf("%w: %d octets", ErrNullifierKey, key.Len())
	}
	return NullifierKey{key}, nil
}

// The first octet of what is hashed tells the uses of the key apart.
const (
	labelNullifier = 1
	labelTag       = 2
	labelCheck     = 3
)

func (k NullifierKey) prf(label byte, parts ...[]byte) (out [16]byte) {
	if k.key.IsZero() {
		panic("tokens: use of a zero NullifierKey")
	}
	h := hmac.New(sha256.New, k.key.Reveal())
	h.Write([]byte{label})
	for _, p := range parts { // each of one size, so that they need no lengths
		h.Write(p)
	}
	copy(out[:], h.Sum(nil))
	return out
}

// Nullifier returns the nullifier of a verified token: a function of its key's
// full identifier and its nonce, and of nothing else that a client could vary.
func (k NullifierKey) Nullifier(token verify.Redeemed) Nullifier {
	id, nonce := token.KeyID(), token.Nonce()
	return k.prf(labelNullifier, id[:], nonce[:])
}

// Tag returns what to store beside the nullifier.
func (k NullifierKey) Tag(n Nullifier, request RequestDigest) Tag {
	return k.prf(labelTag, n[:], request[:])
}

// Check returns a value that a ledger stores once to recognise its key.
func (k NullifierKey) Check() [16]byte { return k.prf(labelCheck) }

// ParseTag decodes the stored form of a tag, which is its 16 octets.
func ParseTag(b []byte) (t Tag, err error) {
	if len(b) != len(t) {
		return t, fmt.Errorf("%w: tag of %d octets", ErrRecord, len(b))
	}
	return Tag(b), nil
}

// Judge is the decision that every ledger makes, atomically with what follows
// from it: given the tag stored for the nullifier, nil if there is none, and the
// tag of the present request, it returns [Fresh] (store the tag), [Resume]
// (leave it) or [ErrDoubleSpend].
func Judge(stored *Tag, present Tag) (Outcome, error) {
	if stored == nil {
		return Fresh, nil
	}
	if subtle.ConstantTimeCompare(stored[:], present[:]) == 1 {
		return Resume, nil
	}
	return 0, ErrDoubleSpend
}
