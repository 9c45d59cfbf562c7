package ledger_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/tokens"
)

// registrySeed lists an open and a closing epoch, of ordinals 1 and 3.
var registrySeed = slices.Concat(
	[]byte{0, 0, 0, 4, 0x40, 90},
	[]byte{0, 0, 0, 1, 1}, bytes.Repeat([]byte{7}, 32), []byte{0, 0, 0, 0, 0, 0, 1, 0},
	[]byte{0, 0, 0, 3, 2}, bytes.Repeat([]byte{8}, 32), []byte{0, 0, 0, 0, 0, 0, 0, 1},
)

var parsers = map[string]struct {
	parse func([]byte) ([]byte, error)
	valid []byte
}{
	"registry":  {ledger.ParseRegistry, registrySeed},
	"tombstone": {ledger.ParseTombstone, []byte{4}},
	"count":     {ledger.ParseCount, make([]byte, 8)},
}

// TestRecordsAreStrict refuses every strict prefix and one octet more.
func TestRecordsAreStrict(t *testing.T) {
	refused := func(name string, parse func([]byte) ([]byte, error), b []byte) {
		t.Helper()
		if _, err := parse(b); !errors.Is(err, tokens.ErrRecord) {
			t.Errorf("%s: %x gave %v", name, b, err)
		}
	}
	for name, p := range parsers {
		if b, err := p.parse(p.valid); err != nil || !bytes.Equal(b, p.valid) {
			t.Errorf("%s: %x, %v", name, b, err)
		}
		for n := range p.valid {
			refused(name, p.parse, p.valid[:n])
		}
		refused(name, p.parse, append(bytes.Clone(p.valid), 0))
	}
	// A note of n keys is a prefix of one of n+1.
	for n := range 65 {
		if n%32 == 0 {
			if _, err := ledger.ParseNote(make([]byte, n)); err != nil {
				t.Error(err)
			}
			continue
		}
		refused("note", ledger.ParseNote, make([]byte, n))
	}
	for _, state := range []byte{0, 1, 2, 5} {
		refused("tombstone", ledger.ParseTombstone, []byte{state})
	}
	const first, second = 6, 6 + 45
	for name, change := range map[string]func([]byte){
		"state":        func(b []byte) { b[first+4] = 3 },
		"order":        func(b []byte) { b[second+3] = 1 },
		"next ordinal": func(b []byte) { b[3] = 3 },
		"no capacity":  func(b []byte) { b[second+44] = 0 },
	} {
		b := bytes.Clone(registrySeed)
		change(b)
		refused(name, ledger.ParseRegistry, b)
	}
}

func fuzz(f *testing.F, parse func([]byte) ([]byte, error), seed []byte) {
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := parse(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("read %x, wrote %x", b, again)
		}
	})
}

func FuzzRegistry(f *testing.F) { fuzz(f, ledger.ParseRegistry, registrySeed) }
func FuzzNote(f *testing.F)     { fuzz(f, ledger.ParseNote, make([]byte, 64)) }
