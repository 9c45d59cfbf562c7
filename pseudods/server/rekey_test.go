package server

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
)

// storageKey makes a file with a key.
func storageKey(t *testing.T, b byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "storage.key")
	text := base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{b}, badger.KeySize))
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestStorageKey runs all roles on encrypted stores, refuses to look at them
// without their key, and gives them another, twice as after a crash.
func TestStorageKey(t *testing.T) {
	c := config(t)
	cheap(&c)
	c.StorageKey = storageKey(t, 1)
	t.Run("serve", func(t *testing.T) { testTokensBuyOnce(t, c) })
	other := storageKey(t, 2)
	for range 2 {
		for _, s := range must(c.Stores()) {
			if err := s.Rekey(other); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, file := range []string{"", c.StorageKey, other} {
		var want error
		if file != other {
			want = badger.ErrEncryption
		}
		c.StorageKey = file
		for _, s := range must(c.Stores()) {
			_, err := s.Inspect(t.Context(), func(f badger.Finding) { t.Errorf("%s: %+v", s.Name, f) })
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", s.Name, err, want)
			}
		}
	}
}
