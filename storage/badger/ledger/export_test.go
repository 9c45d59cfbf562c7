package ledger

import (
	"bytes"
	"encoding/binary"
)

// The parsers of records, for the tests, each with the encoding of what was read.

func ParseRegistry(b []byte) ([]byte, error) {
	g, err := parseRegistry(b)
	if err != nil {
		return nil, err
	}
	return g.marshal()
}

func ParseNote(b []byte) ([]byte, error) {
	keys, err := parseNote(b)
	if err != nil {
		return nil, err
	}
	var parts [][]byte
	for _, key := range keys {
		parts = append(parts, key[:])
	}
	return bytes.Join(parts, nil), nil
}

func ParseTombstone(b []byte) ([]byte, error) {
	s, err := parseTombstone(b)
	if err != nil {
		return nil, err
	}
	return []byte{byte(s)}, nil
}

func ParseCount(b []byte) ([]byte, error) {
	n, err := parseCount(b)
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(nil, n), nil
}
