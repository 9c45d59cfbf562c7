package backup

import "bytes"

// Reparse parses a manifest and encodes it again.
func Reparse(b []byte) ([]byte, error) {
	m, err := parseManifest(b)
	if err != nil {
		return nil, err
	}
	return m.marshal()
}

// Encode encodes a manifest.
func Encode(m Manifest) ([]byte, error) { return m.marshal() }

// WithChunk returns a backup with one chunk of these octets, and its digests.
func WithChunk(m Manifest, items []byte) []byte {
	var out bytes.Buffer
	w, err := NewWriter(&out, m)
	if err != nil {
		panic(err)
	}
	w.chunk = append(w.chunk, items...)
	if _, err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}
