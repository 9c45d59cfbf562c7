package keyring

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

// Slot is what keys follow each other for.
type Slot struct {
	Class string
	Type  privacypass.TokenType
}

// ErrClass: a class name that cannot be used.
var ErrClass = errors.New("keyring: a class name has 1 to 32 lower-case letters, digits and hyphens, and begins with a letter")

// CheckClass returns [ErrClass] unless class can name a token class. Names appear
// in file names and URLs.
func CheckClass(class string) error {
	if class == "" || len(class) > 32 || class[0] < 'a' || class[0] > 'z' {
		return ErrClass
	}
	if strings.ContainsFunc(class, func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-') }) {
		return ErrClass
	}
	return nil
}

// Key is a live key with its start.
type Key struct {
	Slot
	// NotBefore is the start, in whole seconds.
	NotBefore time.Time
	issuer.Key
}

// ErrFile: octets that are not a key file of this package.
var ErrFile = errors.New("keyring: malformed key file")

const pemType = "PRIVACY PASS ISSUER KEY"

// marshal returns the content of k's file: PEM (RFC 7468) whose headers repeat
// what the file name says. The slot's token type is in the key itself.
func (k *Key) marshal() secret.Bytes {
	private := k.Key.Marshal()
	defer private.Wipe()
	return secret.New(pem.EncodeToMemory(&pem.Block{
		Type:    pemType,
		Headers: map[string]string{"Class": k.Class, "Not-Before": strconv.FormatInt(k.NotBefore.Unix(), 10)},
		Bytes:   private.Reveal(),
	}))
}

// parseKey is the inverse of marshal. It accepts exactly what marshal returns.
func parseKey(content secret.Bytes) (*Key, error) {
	block, rest := pem.Decode(content.Reveal())
	if block == nil || block.Type != pemType || len(rest) > 0 || len(block.Headers) != 2 {
		return nil, fmt.Errorf("%w: not one PEM block", ErrFile)
	}
	seconds, err := strconv.ParseInt(block.Headers["Not-Before"], 10, 64)
	if err != nil || seconds < 0 {
		return nil, fmt.Errorf("%w: start", ErrFile)
	}
	if err := CheckClass(block.Headers["Class"]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	private, err := issuer.ParseKey(secret.New(block.Bytes))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	k := &Key{Slot{block.Headers["Class"], private.TokenType()}, time.Unix(seconds, 0), private}
	again := k.marshal()
	defer again.Wipe()
	if !bytes.Equal(again.Reveal(), content.Reveal()) {
		return nil, fmt.Errorf("%w: not in the form it is written in", ErrFile)
	}
	return k, nil
}

const suffix = ".key"

// fileName names k's file: class, type, start and the first octets of the key's
// identifier. Nothing reads it but people, and the check that a file holds what
// its name says.
func (k *Key) fileName() string {
	id := k.ID()
	return fmt.Sprintf("%s.%04x.%d.%s%s", k.Class, uint16(k.Slot.Type), k.NotBefore.Unix(), hex.EncodeToString(id[:4]), suffix)
}
