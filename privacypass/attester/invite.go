package attester

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
)

// InviteScheme is the authentication scheme of invite codes.
const InviteScheme = "Invite"

const (
	inviteSerial = 12
	inviteMAC    = 16
	inviteSize   = 2 + inviteSerial + inviteMAC
)

var inviteEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Invites is the attester of invite codes. A code is an account of its own with
// one allowance per class until it expires, in whatever portions the policy
// allows.
//
// Codes are made without a record: 48 letters and digits that hold an expiry
// day, a random serial number and a MAC. Whoever has the key makes any number of
// them, also while the issuer runs, and nobody can tell from the issuer's store
// which codes were made and never used. Nothing links a code to who handed it
// out, or to whom.
//
// Whoever reads a code can use it: it belongs into TLS and not into a log. A code
// alone cannot be revoked; a new key revokes all.
type Invites struct {
	key secret.Bytes
}

var _ Attester = (*Invites)(nil)

// NewInvites returns the attester of the codes made under key, which must have
// at least 32 octets.
func NewInvites(key secret.Bytes) *Invites {
	if key.Len() < 32 {
		panic("attester: invite key shorter than 32 octets")
	}
	return &Invites{key}
}

// New makes a code that is accepted through the UTC day of expires. It reads 12
// octets from rand.
func (in *Invites) New(rand io.Reader, expires time.Time) (string, error) {
	day := expires.Unix() / daySeconds
	if day < 0 || day > 1<<16-1 {
		return "", fmt.Errorf("%w: expiry out of range", ErrRefused)
	}
	b := binary.BigEndian.AppendUint16(make([]byte, 0, inviteSize), uint16(day))
	b = b[:2+inviteSerial]
	if _, err := io.ReadFull(rand, b[2:]); err != nil {
		return "", err
	}
	return inviteEncoding.EncodeToString(append(b, in.mac(b)...)), nil
}

const daySeconds = 24 * 60 * 60

func (in *Invites) mac(b []byte) []byte {
	mac := hmac.New(sha256.New, in.key.Reveal())
	mac.Write([]byte("privacypass attester invite"))
	mac.Write(b)
	return mac.Sum(nil)[:inviteMAC]
}

// Scheme returns [InviteScheme].
func (in *Invites) Scheme() string { return InviteScheme }

// Attest accepts `Invite code`.
func (in *Invites) Attest(_ context.Context, r *Request) (Identity, error) {
	text, err := Token68(r.Authorization, InviteScheme)
	if err != nil {
		return Identity{}, err
	}
	b, err := inviteEncoding.DecodeString(text)
	if err != nil || len(b) != inviteSize || inviteEncoding.EncodeToString(b) != text {
		return Identity{}, fmt.Errorf("%w: not an invite code", ErrMalformed)
	}
	body := b[:2+inviteSerial]
	if !hmac.Equal(b[len(body):], in.mac(body)) {
		return Identity{}, fmt.Errorf("%w: unknown invite code", ErrRefused)
	}
	expires := time.Unix((int64(binary.BigEndian.Uint16(b))+1)*daySeconds-1, 0)
	if r.Now.After(expires) {
		return Identity{}, fmt.Errorf("%w: invite code expired", ErrRefused)
	}
	return Identity{Subject: hex.EncodeToString(body), Once: expires}, nil
}

// InviteAuthorization returns the Authorization header value that presents a
// code.
func InviteAuthorization(code string) string { return InviteScheme + " " + code }
