package attester

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// AccountKeyScheme is the authentication scheme of requests signed by account
// keys.
const AccountKeyScheme = "AccountKey"

// AccountKeyWindow is how far the time in a signed request may lie from the
// issuer's clock, either way.
const AccountKeyWindow = 5 * time.Minute

// KeySet says which Ed25519 keys are accounts. Has must be safe for concurrent
// use; its errors must wrap [ErrUnavailable] or be the context's.
type KeySet interface {
	Has(ctx context.Context, key [ed25519.PublicKeySize]byte) (bool, error)
}

// AccountKeys is the attester of requests signed with an account's Ed25519 key.
//
// The signature covers issuer, class, media type, the digest of the token request
// and a time. There is no nonce besides the digest: a copied request is answered
// with the bytes that it was answered with before, which only the holder of the
// blinding factors can use.
type AccountKeys struct {
	keys KeySet
}

var _ Attester = (*AccountKeys)(nil)

// NewAccountKeys returns the attester of the keys in the set.
func NewAccountKeys(keys KeySet) *AccountKeys { return &AccountKeys{keys} }

// Scheme returns [AccountKeyScheme].
func (a *AccountKeys) Scheme() string { return AccountKeyScheme }

// Attest accepts `AccountKey key="...", time=..., signature="..."`: base64url
// with padding, seconds since 1970, base64url with padding.
func (a *AccountKeys) Attest(ctx context.Context, r *Request) (Identity, error) {
	params, err := Params(r.Authorization, AccountKeyScheme, "key", "time", "signature")
	if err != nil {
		return Identity{}, err
	}
	key, err := decode64(params["key"], ed25519.PublicKeySize)
	if err != nil {
		return Identity{}, err
	}
	signature, err := decode64(params["signature"], ed25519.SignatureSize)
	if err != nil {
		return Identity{}, err
	}
	at, err := decodeTime(params["time"])
	if err != nil {
		return Identity{}, err
	}
	if r.Now.Sub(at).Abs() > AccountKeyWindow {
		return Identity{}, fmt.Errorf("%w: stale request", ErrRefused)
	}
	if !ed25519.Verify(key, r.signed("privacypass attester account key", at), signature) {
		return Identity{}, fmt.Errorf("%w: bad signature", ErrRefused)
	}
	// Membership after the signature: an outsider learns nothing about which
	// keys have accounts.
	known, err := a.keys.Has(ctx, [ed25519.PublicKeySize]byte(key))
	if err != nil {
		return Identity{}, err
	}
	if !known {
		return Identity{}, fmt.Errorf("%w: unknown account key", ErrRefused)
	}
	return Identity{Subject: string(key)}, nil
}

// AccountKeyAuthorization returns the Authorization header value that signs r
// with an account's key. r.Authorization and r.Tokens are not used.
func AccountKeyAuthorization(key ed25519.PrivateKey, r *Request) string {
	signature := ed25519.Sign(key, r.signed("privacypass attester account key", r.Now))
	return fmt.Sprintf(`%s key="%s", time=%d, signature="%s"`, AccountKeyScheme,
		encode64(key.Public().(ed25519.PublicKey)), r.Now.Unix(), encode64(signature))
}

// signed returns the octets under a client's signature or proof of work.
func (r *Request) signed(label string, at time.Time) []byte {
	var w tlscodec.Writer
	for _, field := range []string{label, r.Issuer, r.Class, r.MediaType} {
		w.Opaque([]byte(field))
	}
	w.Raw(r.Digest[:])
	w.Uint64(uint64(at.Unix()))
	b, err := w.Bytes()
	if err != nil {
		panic(err) // a name of more than 1 GiB
	}
	return b
}

// Keys is a [KeySet] in memory.
type Keys map[[ed25519.PublicKeySize]byte]struct{}

var _ KeySet = Keys(nil)

// Has reports whether the key is in the set. It never fails.
func (k Keys) Has(_ context.Context, key [ed25519.PublicKeySize]byte) (bool, error) {
	_, ok := k[key]
	return ok, nil
}

// ReadKeys reads account keys, one to a line in base64url with padding. Empty
// lines and lines that start with # are skipped. The error names the line.
func ReadKeys(r io.Reader) (Keys, error) {
	keys := make(Keys)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		b, err := decode64(line, ed25519.PublicKeySize)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		keys[[ed25519.PublicKeySize]byte(b)] = struct{}{}
	}
	return keys, lines.Err()
}

func encode64(b []byte) string { return base64.URLEncoding.EncodeToString(b) }

func decode64(s string, size int) ([]byte, error) {
	b, err := base64.URLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != size || strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("%w: want %d octets in base64url", ErrMalformed, size)
	}
	return b, nil
}

// decodeTime reads seconds since 1970, without leading zeros.
func decodeTime(s string) (time.Time, error) {
	n, err := strconv.ParseUint(s, 10, 40)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return time.Time{}, fmt.Errorf("%w: bad time", ErrMalformed)
	}
	return time.Unix(int64(n), 0), nil
}
