package privacypass

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// RedemptionContextSize is the size of a redemption context that is not empty.
const RedemptionContextSize = 32

// TokenChallenge is the default challenge structure of RFC 9577, Section 2.1.
type TokenChallenge struct {
	TokenType TokenType
	// IssuerName is the authority part of the issuer's URI: printable ASCII,
	// 1 to 65535 octets.
	IssuerName string
	// RedemptionContext is empty or [RedemptionContextSize] octets.
	RedemptionContext []byte
	// OriginInfo lists the origins that the token is good for, each an authority
	// part of a URI without commas and spaces. Empty means any origin. An
	// origin that lists names must list its own.
	OriginInfo []string
}

// ParseTokenChallenge decodes a challenge of a supported type. It returns
// [ErrTokenType] for other types, whose structure may differ: read theirs with
// [ChallengeType].
func ParseTokenChallenge(b []byte) (*TokenChallenge, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	c := &TokenChallenge{TokenType: TokenType(r.Uint16())}
	if r.Err() == nil {
		if _, err := c.TokenType.Params(); err != nil {
			return nil, err
		}
	}
	c.IssuerName = string(r.Opaque16())
	c.RedemptionContext = r.Opaque8()
	origins := string(r.Opaque16())
	if err := r.Finish(); err != nil {
		return nil, malformed("challenge", err)
	}
	if origins != "" {
		c.OriginInfo = strings.Split(origins, ",")
	}
	if err := c.validate(); err != nil {
		return nil, malformed("challenge", err)
	}
	return c, nil
}

// ChallengeType returns the token type that an encoded challenge of any kind
// begins with.
func ChallengeType(b []byte) (TokenType, error) {
	if len(b) < 2 {
		return 0, malformed("challenge", tlscodec.ErrTruncated)
	}
	return TokenType(b[0])<<8 | TokenType(b[1]), nil
}

func (c *TokenChallenge) validate() error {
	if _, err := c.TokenType.Params(); err != nil {
		return err
	}
	if c.IssuerName == "" || !printable(c.IssuerName, ' ') {
		return fmt.Errorf("%w: issuer name", ErrInvalid)
	}
	if n := len(c.RedemptionContext); n != 0 && n != RedemptionContextSize {
		return fmt.Errorf("%w: redemption context of %d octets", ErrInvalid, n)
	}
	for _, name := range c.OriginInfo {
		if name == "" || !printable(name, '!') || strings.Contains(name, ",") {
			return fmt.Errorf("%w: origin name", ErrInvalid)
		}
	}
	return nil
}

// printable reports whether s is made of ASCII characters from low to '~'.
func printable(s string, low byte) bool {
	for i := range len(s) {
		if s[i] < low || s[i] > '~' {
			return false
		}
	}
	return true
}

// Marshal encodes c. It returns [ErrInvalid] or [ErrTokenType] if c breaks a
// rule above.
func (c *TokenChallenge) Marshal() ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	var w tlscodec.Writer
	w.Uint16(uint16(c.TokenType))
	w.Opaque16([]byte(c.IssuerName))
	w.Opaque8(c.RedemptionContext)
	w.Opaque16([]byte(strings.Join(c.OriginInfo, ",")))
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return b, nil
}

// Digest returns the challenge_digest of tokens: the SHA-256 digest of the
// encoding. The errors are those of [TokenChallenge.Marshal].
func (c *TokenChallenge) Digest() ([sha256.Size]byte, error) {
	b, err := c.Marshal()
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(b), nil
}

// AllowsOrigin reports whether a client may answer c when name sent it: the
// list of origins is empty or holds name, whatever the case of its letters
// (RFC 9577, Section 2.1).
func (c *TokenChallenge) AllowsOrigin(name string) bool {
	for _, o := range c.OriginInfo {
		if strings.EqualFold(o, name) {
			return true
		}
	}
	return len(c.OriginInfo) == 0
}
