package badger

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/internal/secret"
)

// KeySize is the size of [Config.Key] in octets.
const KeySize = 32

// frameTag is what encryption adds to a frame.
const frameTag = 16

func checkEncryptionKey(key secret.Bytes) error {
	if !key.IsZero() && key.Len() != KeySize {
		return errors.New("badger: key is not 32 octets")
	}
	return nil
}

// derive returns a key for one purpose.
func derive(key secret.Bytes, purpose string, salt []byte) []byte {
	k, err := hkdf.Key(sha256.New, key.Reveal(), salt, purpose, KeySize)
	if err != nil {
		panic("badger: key cannot be derived")
	}
	return k
}

// tablesKey is what the engine's list of data keys is encrypted by; nil without a key.
func tablesKey(key secret.Bytes) []byte {
	if key.IsZero() {
		return nil
	}
	return derive(key, "pseudods 1.0 tables", nil)
}

// dataKeys reads the list of data keys of a database's tables. It changes nothing, and
// fails with [ErrEncryption] if the key, or none, is not that of the database.
func dataKeys(dir string, key secret.Bytes) (*engine.KeyRegistry, error) {
	if err := checkEncryptionKey(key); err != nil {
		return nil, err
	}
	registry, err := engine.OpenKeyRegistry(engine.KeyRegistryOptions{Dir: dir, ReadOnly: true, EncryptionKey: tablesKey(key)})
	if err = keyError(err); err != nil && !errors.Is(err, ErrEncryption) {
		err = fmt.Errorf("badger: reading the data keys: %w", cause(err))
	}
	return registry, err
}

// encrypted adds encryption to the engine's options. Blocks are decrypted into a
// cache, which the engine then wants.
func encrypted(o engine.Options, key secret.Bytes) engine.Options {
	if key.IsZero() {
		return o
	}
	return o.WithEncryptionKey(tablesKey(key)).WithBlockCacheSize(32 << 20)
}

// keyError tells a wrong or missing key from other failures of the engine, which
// does not always wrap its errors.
func keyError(err error) error {
	if err != nil && strings.Contains(err.Error(), engine.ErrEncryptionKeyMismatch.Error()) {
		return ErrEncryption
	}
	return err
}

// journalCipher returns the AEAD of one journal, nil without a key. Identifiers of
// journals are random and used once, and batches of a journal have numbers of their
// own, so that no nonce repeats under a key.
func journalCipher(key secret.Bytes, id journalID) cipher.AEAD {
	if key.IsZero() {
		return nil
	}
	block, err := aes.NewCipher(derive(key, "pseudods 1.0 journal", id[:]))
	if err != nil {
		panic("badger: AES key of a wrong size")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("badger: GCM refused AES")
	}
	return aead
}

func frameNonce(seq uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, 12), seq) }

func frameAAD(before, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, before), seq)
}

// encryptFrame encrypts the body of a frame in place.
func encryptFrame(aead cipher.AEAD, frame []byte, before, seq uint64) []byte {
	if aead == nil {
		return frame
	}
	return aead.Seal(frame[:frameHeader], frameNonce(seq), frame[frameHeader:], frameAAD(before, seq))
}

// decryptFrame returns a frame's body. It fails with [ErrJournal].
func decryptFrame(aead cipher.AEAD, f frame) ([]byte, error) {
	if aead == nil {
		return f.body, nil
	}
	body, err := aead.Open(nil, frameNonce(f.seq), f.body, frameAAD(f.before, f.seq))
	if err != nil {
		return nil, fmt.Errorf("%w: a batch does not decrypt", ErrJournal)
	}
	return body, nil
}

// RotateKey gives an encrypted database, which must be closed, another key. What is
// in the tables stays as it is, under data keys of the engine's that are drawn anew
// every ten days and lie encrypted in one small file: that file alone is written
// again, beside the old one, so that a crash leaves either. Whoever has the old key
// and an old copy of that file still reads the old tables.
//
// It fails with [ErrEncryption] if the old key is not that of the database, and with
// [ErrUnclean] after a crash: open and close the database first.
func RotateKey(dir string, old, next secret.Bytes) error {
	if old.Len() != KeySize || next.Len() != KeySize {
		return errors.New("badger: key is not 32 octets")
	}
	if numbers, err := journalNumbers(dir); err != nil || len(numbers) > 0 {
		return errors.Join(ErrUnclean, err)
	}
	registry, err := dataKeys(dir, old)
	if err != nil {
		return err
	}
	defer registry.Close()
	o := engine.KeyRegistryOptions{Dir: dir, EncryptionKey: tablesKey(next)}
	if err := engine.WriteKeyRegistry(registry, o); err != nil {
		return fmt.Errorf("badger: writing the data keys: %w", cause(err))
	}
	return syncDir(dir)
}
