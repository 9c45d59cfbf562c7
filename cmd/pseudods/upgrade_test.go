package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpgrade: a server with a store of an older version does not start and says so,
// and after the upgrade, which may be repeated, all is well.
func TestUpgrade(t *testing.T) {
	dir := t.TempDir()
	z, err := zip.OpenReader("../../storage/badger/queues/testdata/queues-1.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, name := range []string{"data", "data/qs"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "data/qs/queues"), z); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.json")
	text := fmt.Sprintf(`{"data": %q, "listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "min_free": 1}`, filepath.Join(dir, "data"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		command, says string
		code          int
	}{
		{"serve", "an older version", 1},
		{"fsck", "an older version", 1},
		{"upgrade", "qs: queues has version 2, was version 1", 0},
		{"upgrade", "qs: queues has version 2, no change", 0},
		{"fsck", "no findings", 0},
	} {
		var out bytes.Buffer
		if code := run([]string{step.command, "-config", config}, &out, &out); code != step.code || !strings.Contains(out.String(), step.says) {
			t.Fatalf("%s: code %d: %s", step.command, code, &out)
		}
	}
}
