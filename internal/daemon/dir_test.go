package daemon

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestSecretsRace lets several programs make the same secret: all get the same.
func TestSecretsRace(t *testing.T) {
	data, err := OpenDir(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	got := make([]string, 16)
	for i := range got {
		wg.Go(func() {
			s, err := data.Secret("a.secret")
			if err != nil {
				t.Error(err)
			}
			got[i] = string(s.Reveal())
		})
	}
	wg.Wait()
	for _, s := range got {
		if s != got[0] || len(s) != 32 {
			t.Fatal("two secrets from one file")
		}
	}
	if left, _ := filepath.Glob(data.Path(".new-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(data.Path("b.secret"), []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := data.Secret("b.secret"); err == nil {
		t.Error("a damaged secret was replaced or taken")
	}
}
