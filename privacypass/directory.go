package privacypass

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// The most that [ParseDirectory] accepts.
const (
	MaxDirectorySize = 1 << 18
	MaxDirectoryKeys = 256
)

// Directory is an issuer's published configuration (RFC 9578, Section 4).
type Directory struct {
	// RequestURI is where to send requests: an absolute URL, or one relative to
	// where the directory was found.
	RequestURI string
	// Keys are in order of preference. Types that are not supported are kept.
	Keys []DirectoryKey
}

// DirectoryKey is an entry of "token-keys".
type DirectoryKey struct {
	TokenType TokenType
	// PublicKey is the encoded key. For a supported type it has the right size.
	PublicKey []byte
	// NotBefore is when the key may be used first, in seconds since the Unix epoch;
	// 0 if the directory does not say.
	NotBefore uint64
}

// ID returns the key's token_key_id.
func (k DirectoryKey) ID() KeyID { return KeyIDOf(k.PublicKey) }

func (k DirectoryKey) validate() error {
	if p, err := k.TokenType.Params(); err == nil && len(k.PublicKey) != p.PublicKeySize {
		return fmt.Errorf("%w: key of %d octets for type %v", ErrInvalid, len(k.PublicKey), k.TokenType)
	}
	if len(k.PublicKey) == 0 {
		return fmt.Errorf("%w: empty key", ErrInvalid)
	}
	return nil
}

func (d *Directory) validate() error {
	if u, err := url.Parse(d.RequestURI); d.RequestURI == "" || err != nil || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%w: issuer-request-uri", ErrInvalid)
	}
	if len(d.Keys) > MaxDirectoryKeys {
		return fmt.Errorf("%w: %d keys", ErrInvalid, len(d.Keys))
	}
	for _, k := range d.Keys {
		if err := k.validate(); err != nil {
			return err
		}
	}
	return nil
}

var errJSON = errors.New("not the JSON of a directory")

// ParseDirectory decodes a directory of at most [MaxDirectorySize] octets. It is
// strict where JSON is loose: member names match exactly and appear once, numbers
// are integers in range, base64url has its padding, nothing follows the object.
// Members it does not know are ignored.
func ParseDirectory(b []byte) (*Directory, error) {
	if len(b) > MaxDirectorySize {
		return nil, malformed("directory", fmt.Errorf("%d octets", len(b)))
	}
	members, err := parseObject(b)
	if err != nil {
		return nil, malformed("directory", err)
	}
	var d Directory
	var keys []json.RawMessage
	if err := required(members, "issuer-request-uri", &d.RequestURI); err != nil {
		return nil, err
	}
	if err := required(members, "token-keys", &keys); err != nil {
		return nil, err
	}
	if len(keys) > MaxDirectoryKeys {
		return nil, malformed("directory", fmt.Errorf("%d keys", len(keys)))
	}
	for _, raw := range keys {
		k, err := parseDirectoryKey(raw)
		if err != nil {
			return nil, err
		}
		d.Keys = append(d.Keys, k)
	}
	if err := d.validate(); err != nil {
		return nil, malformed("directory", err)
	}
	return &d, nil
}

func parseDirectoryKey(raw []byte) (k DirectoryKey, err error) {
	members, err := parseObject(raw)
	if err != nil {
		return k, malformed("directory", err)
	}
	var encoded string
	if err := required(members, "token-type", &k.TokenType); err != nil {
		return k, err
	}
	if err := required(members, "token-key", &encoded); err != nil {
		return k, err
	}
	if _, ok := members["not-before"]; ok {
		if err := required(members, "not-before", &k.NotBefore); err != nil {
			return k, err
		}
	}
	k.PublicKey, err = decodeBase64(encoded)
	return k, malformed("directory", err)
}

// parseObject returns the members of the one object that b is.
func parseObject(b []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errJSON
	}
	members := make(map[string]json.RawMessage)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errJSON
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, errJSON
		}
		if _, twice := members[name.(string)]; twice {
			return nil, fmt.Errorf("%w: a member appears twice", errJSON)
		}
		members[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: trailing data", errJSON)
	}
	return members, nil
}

// required decodes the member of that name, which must not be null.
func required(members map[string]json.RawMessage, name string, v any) error {
	raw, ok := members[name]
	if !ok || bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, v) != nil {
		return malformed("directory", fmt.Errorf("%w: %s", errJSON, name))
	}
	return nil
}

// decodeBase64 decodes base64url with padding. Unlike package base64 it refuses
// line breaks.
func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, base64.CorruptInputError(strings.IndexAny(s, "\r\n"))
	}
	return base64.URLEncoding.Strict().DecodeString(s)
}

// Marshal encodes d. Equal directories give equal octets.
func (d *Directory) Marshal() ([]byte, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	type key struct {
		TokenType TokenType `json:"token-type"`
		TokenKey  string    `json:"token-key"`
		NotBefore uint64    `json:"not-before,omitempty"`
	}
	out := struct {
		RequestURI string `json:"issuer-request-uri"`
		Keys       []key  `json:"token-keys"`
	}{d.RequestURI, make([]key, len(d.Keys))}
	for i, k := range d.Keys {
		out.Keys[i] = key{k.TokenType, base64.URLEncoding.EncodeToString(k.PublicKey), k.NotBefore}
	}
	b, err := json.Marshal(out)
	if err == nil && len(b) > MaxDirectorySize {
		err = fmt.Errorf("%d octets", len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return b, nil
}
