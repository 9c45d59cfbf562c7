package protocol

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the document's examples and the vectors anew")

// zipped is from which size in octets a file of vectors is compressed.
const zipped = 200 << 10

const again = "run: go test ./pseudods/protocol -update"

// readFile returns a file of vectors, which may be compressed.
func readFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if !os.IsNotExist(err) {
		return b, err
	}
	if b, err = os.ReadFile(path + ".gz"); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func writeFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if len(b) < zipped {
		os.Remove(path + ".gz")
		return os.WriteFile(path, b, 0o644)
	}
	os.Remove(path)
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(b); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path+".gz", out.Bytes(), 0o644)
}

// sameFile checks that a file is what the code makes, or with -update writes it,
// and returns its vectors as they are read back.
func sameFile(t *testing.T, path string, vectors []object) []object {
	t.Helper()
	var b bytes.Buffer
	for i, v := range vectors {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString([]string{"[\n", ",\n"}[min(i, 1)])
		if err := json.Indent(&b, line, "", " "); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString("\n]\n")
	path = filepath.Join("..", "..", path)
	if *update {
		if err := writeFile(path, b.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := readFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, b.Bytes()) {
		t.Errorf("%s is not what the code makes; %s", path, again)
	}
	var out []object
	if err := json.Unmarshal(kept, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (o object) text(name string) string {
	v, _ := o.get(name)
	s, _ := v.(string)
	return s
}

func (o object) octets(t *testing.T, name string) []byte {
	t.Helper()
	b, err := hex.DecodeString(o.text(name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

func hexed(b []byte) string { return hex.EncodeToString(b) }
