package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/seal"
)

// A record's file is magic, salt, sealed name and sealed content. Each write
// draws a salt, from which and the vault's key one AES-256-GCM key is derived and
// used twice: under nonce 0 for the name, so that opening a vault reads the
// beginning of each file alone, and under nonce 1 for the content. Both
// authenticate the file's name.
const (
	magic       = "pseudods vault\x00\x01" // the last octet is the version
	saltSize    = 32
	tagSize     = 16
	nameSize    = 256 // octets that are sealed of a name
	headSize    = len(magic) + saltSize + nameSize + tagSize
	recordLabel = "pseudods vault record v1"
	namesLabel  = "pseudods vault names v1"
	fileLabel   = "pseudods vault file v1: "
)

// KeySize is the size of a vault's key in octets.
const KeySize = 32

// Limits of a record in octets.
const (
	MaxName   = nameSize - 1
	MaxRecord = seal.MaxPlaintext - 4
)

// derive returns 32 octets that follow from the key.
func derive(key secret.Bytes, salt []byte, label string) (secret.Bytes, error) {
	b, err := hkdf.Key(sha256.New, key.Reveal(), salt, label, 32)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("vault: deriving a key: %w", err)
	}
	return secret.New(b), nil
}

// hashed returns the keyed hash of a name, in hexadecimal.
func hashed(key secret.Bytes, name string) string {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write([]byte(name))
	return hex.EncodeToString(h.Sum(nil)[:20])
}

func recordAEAD(key secret.Bytes, salt []byte) (cipher.AEAD, error) {
	derived, err := derive(key, salt, recordLabel)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived.Reveal())
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func nonce(n byte) []byte { return append(make([]byte, 11), n) }

func associated(file string) []byte { return append([]byte(magic), file...) }

// sealRecord returns the octets of the record's file.
func sealRecord(key secret.Bytes, random io.Reader, file, name string, content []byte) ([]byte, error) {
	out := make([]byte, len(magic)+saltSize, headSize+seal.PaddedSize(4+len(content))+tagSize)
	copy(out, magic)
	salt := out[len(magic):]
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("vault: reading randomness: %w", err)
	}
	aead, err := recordAEAD(key, salt)
	if err != nil {
		return nil, fmt.Errorf("vault: sealing: %w", err)
	}
	block := make([]byte, nameSize)
	block[0] = byte(len(name))
	copy(block[1:], name)
	padded := make([]byte, seal.PaddedSize(4+len(content)))
	binary.BigEndian.PutUint32(padded, uint32(len(content)))
	copy(padded[4:], content)
	out = aead.Seal(out, nonce(0), block, associated(file))
	out = aead.Seal(out, nonce(1), padded, associated(file))
	clear(padded)
	return out, nil
}

// openName reads the name from the beginning of a record's file.
func openName(key secret.Bytes, file string, head []byte) (string, error) {
	aead, err := openHead(key, head)
	if err != nil {
		return "", err
	}
	block, err := aead.Open(nil, nonce(0), head[len(magic)+saltSize:headSize], associated(file))
	if err != nil {
		return "", fmt.Errorf("%w: wrong key or damaged", ErrVault)
	}
	name := block[1:][:block[0]]
	if !allZero(block[1+len(name):]) {
		return "", fmt.Errorf("%w: padding", ErrVault)
	}
	return string(name), nil
}

// openHead returns what the record's file is sealed with.
func openHead(key secret.Bytes, b []byte) (cipher.AEAD, error) {
	if len(b) < headSize || !bytes.HasPrefix(b, []byte(magic)) {
		return nil, fmt.Errorf("%w: header", ErrVault)
	}
	aead, err := recordAEAD(key, b[len(magic):][:saltSize])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrVault, err)
	}
	return aead, nil
}

// openRecord inverts sealRecord.
func openRecord(key secret.Bytes, file string, b []byte) (name string, content []byte, err error) {
	aead, err := openHead(key, b)
	if err != nil {
		return "", nil, err
	}
	if name, err = openName(key, file, b); err != nil {
		return "", nil, err
	}
	padded, err := aead.Open(nil, nonce(1), b[headSize:], associated(file))
	if err != nil {
		return "", nil, fmt.Errorf("%w: wrong key or damaged", ErrVault)
	}
	if len(padded) < 4 {
		return "", nil, fmt.Errorf("%w: padding", ErrVault)
	}
	n := uint64(binary.BigEndian.Uint32(padded))
	if n > MaxRecord || len(padded) != seal.PaddedSize(4+int(n)) || !allZero(padded[4+n:]) {
		return "", nil, fmt.Errorf("%w: padding", ErrVault)
	}
	return name, padded[4:][:n:n], nil
}

func allZero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }
