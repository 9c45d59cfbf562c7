package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/crypto/argon2"

	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
)

// stretch says how a key follows from a passphrase: Argon2id (RFC 9106).
type stretch struct {
	Salt      []byte `json:"salt"`
	Passes    uint32 `json:"passes"`
	MemoryKiB uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
}

// newStretch draws a salt. The cost is the second recommended one of RFC 9106,
// Section 4: whoever has the directory pays it for each guess.
func newStretch() *stretch {
	s := &stretch{Salt: make([]byte, 16), Passes: 3, MemoryKiB: 64 << 10, Threads: 4}
	rand.Read(s.Salt)
	return s
}

// validate keeps changed settings from taking all memory, or from costing nothing
// to guess.
func (s *stretch) validate() error {
	if len(s.Salt) < 16 || len(s.Salt) > 64 || s.Passes < 1 || s.Passes > 64 || s.MemoryKiB < 16<<10 || s.MemoryKiB > 4<<20 || s.Threads < 1 {
		return errors.New("parameters of the passphrase are out of bounds")
	}
	return nil
}

func (s *stretch) key(passphrase secret.Bytes) secret.Bytes {
	return secret.New(argon2.IDKey(passphrase.Reveal(), s.Salt, s.Passes, s.MemoryKiB, s.Threads, vault.KeySize))
}

// key returns the vault's key. It asks for the passphrase if there is one and no
// file holds it.
func (s *settings) key(l *location, t terminal) (secret.Bytes, error) {
	if s.Passphrase == nil {
		return readKey(l.path(keyFile))
	}
	passphrase, err := l.passphrase(t, false)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer passphrase.Wipe()
	return s.Passphrase.key(passphrase), nil
}

func (l *location) passphrase(t terminal, twice bool) (secret.Bytes, error) {
	var p secret.Bytes
	var err error
	if l.passphraseFile != "" {
		p, err = secretFile(l.passphraseFile)
	} else {
		p, err = t.ask("passphrase: ")
		if err == nil && twice {
			var again secret.Bytes
			if again, err = t.ask("the same again: "); err == nil && !again.Equal(p) {
				return p, errors.New("the two passphrases differ")
			}
		}
	}
	if err == nil && p.Len() == 0 {
		err = errors.New("an empty passphrase protects nothing")
	}
	return p, err
}

// makeKey returns the key in a file, which it makes if it is absent.
func makeKey(path string) (secret.Bytes, error) {
	if k, err := readKey(path); !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	key := make([]byte, vault.KeySize)
	rand.Read(key)
	if err := putFile(path, key); err != nil {
		return secret.Bytes{}, err
	}
	return secret.New(key), nil
}

func readKey(path string) (secret.Bytes, error) {
	b, err := privateFile(path)
	if err == nil && len(b) != vault.KeySize {
		err = fmt.Errorf("%s: not a key", path)
	}
	return secret.New(b), err
}

// secretFile reads a secret: a file's content without the newline at its end.
func secretFile(path string) (secret.Bytes, error) {
	b, err := privateFile(path)
	return secret.New(bytes.TrimRight(b, "\r\n")), err
}

// privateFile reads a file that nobody else may read.
func privateFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others have access to a secret; chmod 600 it", path)
	}
	return os.ReadFile(path)
}
