package server

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/mls"
)

// A delivery service's signature keys are secrets of its keys directory, numbered
// from 1. The highest is the one to sign with; those before it stay, because
// groups name the key that may propose removals, and peers look a new one up only
// when they meet it.
const signerPattern = "signer-*.secret"

func signerFile(number int) string { return fmt.Sprintf("signer-%04d.secret", number) }

// signers returns the keys of the directory, newest first. There is always one.
func signers(dir daemon.Dir) ([]*mls.SignatureKey, error) {
	files, err := filepath.Glob(dir.Path(signerPattern))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		files = []string{signerFile(1)}
	}
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	slices.Reverse(files)
	keys := make([]*mls.SignatureKey, len(files))
	for i, file := range files {
		seed, err := dir.Secret(filepath.Base(file))
		if err != nil {
			return nil, err
		}
		if keys[i], err = suite.ParseSignatureKey(seed); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return keys, nil
}

// keyID is how requests of services name the key that signed them.
func keyID(public []byte) [sha256.Size]byte { return sha256.Sum256(public) }
