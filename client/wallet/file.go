package wallet

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pseudods/pseudods/internal/secret"
)

// A wallet file is header, salt and ciphertext. Each save draws a salt, from
// which and the wallet's key one AES-256-GCM key is derived and used once, with
// the zero nonce. So there is no bound on the number of saves.
const (
	fileMagic = "pseudods wallet\x00\x01" // the last octet is the version
	saltSize  = 32
	fileLabel = "pseudods wallet file v1"
	// sizeStep is what the plaintext is padded to, so that the size of the file
	// says little about the number of tokens.
	sizeStep = 4096
	maxFile  = 16 << 20
	// maxPlaintext leaves room for header, padding and tag.
	maxPlaintext = maxFile - 2*sizeStep
)

// KeySize is the size of a wallet's key in octets.
const KeySize = 32

// ErrFile: the file is not a wallet, is damaged, or was sealed under another
// key; which of them cannot be told.
var ErrFile = errors.New("wallet: cannot open the file")

func aead(key secret.Bytes, salt []byte) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, key.Reveal(), salt, fileLabel, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// pad returns the length of b, b, and zeros up to a multiple of sizeStep.
func pad(b []byte) []byte {
	n := (4 + len(b) + sizeStep - 1) / sizeStep * sizeStep
	out := make([]byte, n)
	binary.BigEndian.PutUint32(out, uint32(len(b)))
	copy(out[4:], b)
	return out
}

func unpad(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: padding", ErrFile)
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n > uint64(len(b)-4) || !bytes.Equal(pad(b[4:4+n]), b) {
		return nil, fmt.Errorf("%w: padding", ErrFile)
	}
	return b[4 : 4+n], nil
}

// seal returns the file that holds the plaintext.
func seal(key secret.Bytes, random io.Reader, plaintext []byte) ([]byte, error) {
	head := make([]byte, len(fileMagic)+saltSize)
	copy(head, fileMagic)
	salt := head[len(fileMagic):]
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("wallet: reading randomness: %w", err)
	}
	a, err := aead(key, salt)
	if err != nil {
		return nil, fmt.Errorf("wallet: sealing: %w", err)
	}
	return a.Seal(head, make([]byte, a.NonceSize()), pad(plaintext), []byte(fileMagic)), nil
}

// unseal inverts seal.
func unseal(key secret.Bytes, file []byte) ([]byte, error) {
	if len(file) > maxFile || !bytes.HasPrefix(file, []byte(fileMagic)) || len(file) < len(fileMagic)+saltSize {
		return nil, fmt.Errorf("%w: header", ErrFile)
	}
	salt, sealed := file[len(fileMagic):][:saltSize], file[len(fileMagic)+saltSize:]
	a, err := aead(key, salt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	padded, err := a.Open(nil, make([]byte, a.NonceSize()), sealed, []byte(fileMagic))
	if err != nil {
		return nil, fmt.Errorf("%w: wrong key or damaged", ErrFile)
	}
	return unpad(padded)
}

// load reads the state at path; a missing file is an empty wallet.
func load(path string, key secret.Bytes) (*state, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &state{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("wallet: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("wallet: %w", err)
	}
	plaintext, err := unseal(key, b)
	if err != nil {
		return nil, err
	}
	return parseState(plaintext)
}

// step is a moment at which a test can end the program.
type step int

const (
	stepCreate  step = iota // before the new file is written
	stepRename              // it is durable under its temporary name
	stepRenamed             // it has its name, which is not durable yet
	stepSaved               // all is durable
)

// replace puts b at path: a crash leaves the old file or the new one.
func replace(path string, b []byte, at func(step) error) error {
	if err := at(stepCreate); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = at(stepRename)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	if err := at(stepRenamed); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return err
	}
	return at(stepSaved)
}
