package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/client/vault"
)

func TestSettings(t *testing.T) {
	l := &location{dir: t.TempDir()}
	if _, err := l.settings(); !errors.Is(err, errNoAccount) {
		t.Errorf("no file: %v", err)
	}
	want := &settings{Server: "https://ds.example", Domain: "ds.example", Passphrase: newStretch(), Providers: map[string]string{"two.example": "https://ds.two.example"}}
	if err := l.putSettings(want); err != nil {
		t.Fatal(err)
	}
	got, err := l.settings()
	if err != nil || got.Domain != want.Domain || !bytes.Equal(got.Passphrase.Salt, want.Passphrase.Salt) || got.Providers["two.example"] == "" {
		t.Errorf("%+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"unknown member": `{"server": "https://ds.example", "sever": ""}`,
		"two values":     `{} {}`,
		"no JSON":        `server`,
		"cheap guesses":  `{"passphrase": {"salt": "AAAAAAAAAAAAAAAAAAAAAA==", "passes": 1, "memory_kib": 8, "threads": 1}}`,
		"short salt":     `{"passphrase": {"salt": "AAAA", "passes": 3, "memory_kib": 65536, "threads": 4}}`,
		"all memory":     `{"passphrase": {"salt": "AAAAAAAAAAAAAAAAAAAAAA==", "passes": 1, "memory_kib": 4294967295, "threads": 1}}`,
	} {
		if err := os.WriteFile(l.path(settingsFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := l.settings(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), keyFile)
	first, err := makeKey(path)
	if err != nil || first.Len() != vault.KeySize {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if again, err := makeKey(path); err != nil || !again.Equal(first) {
		t.Errorf("another key the second time: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := makeKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("others may read the key: %v", err)
	}
	if err := errors.Join(os.WriteFile(path, []byte("short"), 0o600), os.Chmod(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := makeKey(path); err == nil {
		t.Error("a short key is taken")
	}
}

func TestPassphrase(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) *location {
		l := &location{dir: dir, passphraseFile: filepath.Join(dir, "passphrase")}
		if err := os.WriteFile(l.passphraseFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return l
	}
	s := &settings{Passphrase: newStretch()}
	one, err := s.key(write("correct horse\n"), terminal{})
	if err != nil {
		t.Fatal(err)
	}
	if same, err := s.key(write("correct horse"), terminal{}); err != nil || !same.Equal(one) {
		t.Errorf("the end of the line counts: %v", err)
	}
	if other, err := s.key(write("correct hose\n"), terminal{}); err != nil || other.Equal(one) {
		t.Errorf("another passphrase gives the same key: %v", err)
	}
	if _, err := s.key(write("\n"), terminal{}); err == nil {
		t.Error("an empty passphrase is taken")
	}
	if _, err := s.key(&location{dir: dir}, terminal{in: strings.NewReader("x"), err: new(bytes.Buffer)}); err == nil {
		t.Error("a passphrase is read from what is no terminal")
	}
}
