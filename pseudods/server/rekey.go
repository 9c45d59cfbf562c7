package server

import (
	"errors"
	"fmt"
	"os"

	"github.com/pseudods/pseudods/storage/badger"
)

// Rekey gives the store, which no server may be using, the key in another file in
// place of its own. One that has the other key already, as after a rekeying of
// several that was cut short, is left as it is. It fails with ErrNoStore.
func (s *Store) Rekey(file string) error {
	if _, err := os.Stat(s.Dir); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrNoStore, s.Dir)
	}
	old, err := readStorageKey(s.Key)
	if err != nil {
		return err
	}
	next, err := readStorageKey(file)
	if err != nil {
		return err
	}
	err = badger.RotateKey(s.Dir, old, next)
	if errors.Is(err, badger.ErrEncryption) && badger.RotateKey(s.Dir, next, next) == nil {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Dir, err)
	}
	return nil
}
