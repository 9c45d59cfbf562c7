package privacypass

import (
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Scheme is the HTTP authentication scheme of RFC 9577.
const Scheme = "PrivateToken"

// Challenge is a PrivateToken challenge as WWW-Authenticate carries it (RFC
// 9577, Section 2.1).
type Challenge struct {
	// Challenge is the encoded challenge, of any token type: see [ChallengeType]
	// and [ParseTokenChallenge].
	Challenge []byte
	// TokenKey is the encoded public key. Nil if the client is to find it elsewhere.
	TokenKey []byte
	// MaxAge is for how many seconds the challenge will be accepted. Nil if the
	// origin does not say.
	MaxAge *uint64
	// Realm is optional.
	Realm string
}

// ParseChallenges reads the values of all WWW-Authenticate fields of a response.
// It returns the PrivateToken challenges in order, those of unsupported and
// reserved types too: a client picks by [ChallengeType] and ignores what it does
// not know. Other schemes are skipped, as are PrivateToken challenges that lack
// the challenge, repeat a parameter or hold broken base64url.
//
// The error is [ErrMalformed] if a value is not a list of challenges, and
// [ErrNoChallenge] if no usable one is left.
func ParseChallenges(values []string) ([]Challenge, error) {
	var out []Challenge
	size := 0
	for _, v := range values {
		if size += len(v); size > MaxHeaderSize {
			return nil, malformed("header", fmt.Errorf("over %d octets", MaxHeaderSize))
		}
		items, err := parseAuth(v)
		if err != nil {
			return nil, malformed("header", err)
		}
		for _, item := range items {
			if c, err := item.challenge(); err == nil {
				out = append(out, c)
			}
		}
	}
	if len(out) == 0 {
		return nil, ErrNoChallenge
	}
	return out, nil
}

func (a *authItem) challenge() (c Challenge, err error) {
	if !strings.EqualFold(a.scheme, Scheme) {
		return c, ErrNoChallenge
	}
	var ok bool
	if c.Challenge, ok, err = a.base64("challenge"); err != nil || !ok {
		return c, ErrNoChallenge
	}
	if _, err := ChallengeType(c.Challenge); err != nil {
		return c, err
	}
	if c.TokenKey, _, err = a.base64("token-key"); err != nil {
		return c, err
	}
	if c.Realm, _, err = a.get("realm"); err != nil {
		return c, err
	}
	age, ok, err := a.get("max-age")
	if err != nil {
		return c, err
	}
	if ok {
		seconds, err := strconv.ParseUint(age, 10, 63)
		if err != nil {
			return c, err
		}
		c.MaxAge = &seconds
	}
	return c, nil
}

func (a *authItem) base64(name string) (b []byte, ok bool, err error) {
	s, ok, err := a.get(name)
	if err != nil || !ok {
		return nil, false, err
	}
	b, err = decodeBase64(s)
	return b, err == nil, err
}

// FormatChallenges builds one WWW-Authenticate value of the challenges given, the
// preferred first. It returns [ErrInvalid] if a challenge is shorter than a token
// type or a realm holds control characters.
func FormatChallenges(challenges ...Challenge) (string, error) {
	parts := make([]string, 0, len(challenges))
	for _, c := range challenges {
		if len(c.Challenge) < 2 || !printable(c.Realm, ' ') {
			return "", fmt.Errorf("%w: challenge", ErrInvalid)
		}
		s := Scheme + " challenge=" + quote(base64.URLEncoding.EncodeToString(c.Challenge))
		if c.TokenKey != nil {
			s += ", token-key=" + quote(base64.URLEncoding.EncodeToString(c.TokenKey))
		}
		if c.MaxAge != nil {
			s += ", max-age=" + quote(strconv.FormatUint(*c.MaxAge, 10))
		}
		if c.Realm != "" {
			s += ", realm=" + quote(c.Realm)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", "), nil
}

// GreaseChallenge returns a challenge of a random reserved type with random
// content, of 2 + 32 octets and a key of 32. Origins should add one now and then,
// so that clients stay able to ignore types they do not know (RFC 9577, Section
// 5.1).
func GreaseChallenge(rand io.Reader) (Challenge, error) {
	b := make([]byte, 1+2+32+32)
	if _, err := io.ReadFull(rand, b); err != nil {
		return Challenge{}, fmt.Errorf("privacypass: random source: %w", err)
	}
	t := grease[int(b[0])%len(grease)]
	body := b[1:35:35]
	body[0], body[1] = byte(t>>8), byte(t)
	return Challenge{Challenge: body, TokenKey: b[35:]}, nil
}

// Credential is a PrivateToken credential as Authorization carries it (RFC 9577,
// Section 2.2).
type Credential struct {
	// Token is the encoded token: see [ParseToken].
	Token []byte
	// Extensions is the encoded list of extensions, nil if there is none: see
	// [ParseExtensions].
	Extensions []byte
}

// ParseCredential reads an Authorization value. It returns [ErrNoCredential] for
// other schemes and [ErrMalformed] for a PrivateToken value that is broken or has
// no token. Unknown parameters are ignored.
func ParseCredential(value string) (Credential, error) {
	if len(value) > MaxHeaderSize {
		return Credential{}, malformed("header", fmt.Errorf("over %d octets", MaxHeaderSize))
	}
	items, err := parseAuth(value)
	if err == nil && len(items) > 1 {
		err = errHeader
	}
	if err != nil {
		return Credential{}, malformed("credential", err)
	}
	if len(items) == 0 || !strings.EqualFold(items[0].scheme, Scheme) {
		return Credential{}, ErrNoCredential
	}
	var c Credential
	var ok bool
	if c.Token, ok, err = items[0].base64("token"); err == nil && !ok {
		err = errHeader
	}
	if err == nil {
		c.Extensions, _, err = items[0].base64("extensions")
	}
	return c, malformed("credential", err)
}

// Format builds an Authorization value.
func (c Credential) Format() string {
	s := Scheme + " token=" + quote(base64.URLEncoding.EncodeToString(c.Token))
	if c.Extensions != nil {
		s += ", extensions=" + quote(base64.URLEncoding.EncodeToString(c.Extensions))
	}
	return s
}
