package verify

import (
	"crypto/sha256"

	"github.com/pseudods/pseudods/privacypass"
)

// Redeemed is what is known of a token that verified. Only [KeySet.Verify] makes
// one; the zero value stands for no token. It still has to be recorded as spent.
type Redeemed struct {
	tokenType privacypass.TokenType
	keyID     privacypass.KeyID
	nonce     [privacypass.NonceSize]byte
	digest    [sha256.Size]byte
}

// IsZero reports whether r stands for no token.
func (r Redeemed) IsZero() bool { return r == Redeemed{} }

// TokenType returns the token's type.
func (r Redeemed) TokenType() privacypass.TokenType { return r.tokenType }

// KeyID returns the full identifier of the key that verified the token. It names
// the period in which the token has to be remembered.
func (r Redeemed) KeyID() privacypass.KeyID { return r.keyID }

// Nonce returns what makes the token unique under its key. Clients choose it.
func (r Redeemed) Nonce() [privacypass.NonceSize]byte { return r.nonce }

// ChallengeDigest returns the digest of the challenge that the token answers.
func (r Redeemed) ChallengeDigest() [sha256.Size]byte { return r.digest }
