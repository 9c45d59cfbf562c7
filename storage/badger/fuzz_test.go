package badger_test

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
)

var parsers = map[string]struct {
	parse func([]byte) ([]byte, error)
	valid []byte
}{
	"format":  {badger.ParseFormat, []byte("\x00\x02\x04test\x00\x00\x00\x07")},
	"record":  {badger.ParseFenceRecord, []byte("0123456789abcdef\x00\x04note")},
	"life":    {badger.ParseLife, []byte("0123456789abcdef\x00\x00\x00\x07\x01\x00\x04note")},
	"journal": {badger.ParseJournal, badger.Journal},
	"frame":   {badger.ParseFrame, badger.Frame},
}

// TestParsersAreStrict refuses every strict prefix and one octet more.
func TestParsersAreStrict(t *testing.T) {
	for name, p := range parsers {
		if b, err := p.parse(p.valid); err != nil || !bytes.Equal(b, p.valid) {
			t.Fatalf("%s: %x, %v", name, b, err)
		}
		for n := range p.valid {
			if _, err := p.parse(p.valid[:n]); err == nil {
				t.Fatalf("%s: a prefix of %d octets was taken", name, n)
			}
		}
		if _, err := p.parse(append(bytes.Clone(p.valid), 0)); err == nil {
			t.Fatalf("%s: a trailing octet was taken", name)
		}
	}
}

func fuzz(f *testing.F, name string) {
	p := parsers[name]
	f.Add(p.valid)
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := p.parse(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("read %x, wrote %x", b, again)
		}
	})
}

func FuzzFormat(f *testing.F)      { fuzz(f, "format") }
func FuzzFenceRecord(f *testing.F) { fuzz(f, "record") }
func FuzzLife(f *testing.F)        { fuzz(f, "life") }
func FuzzJournal(f *testing.F)     { fuzz(f, "journal") }

// FuzzFrame: whatever has the right checksum decodes in bounded memory or is
// refused.
func FuzzFrame(f *testing.F) {
	f.Add(badger.Frame)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = badger.WithSum(b)
		if again, err := badger.ParseFrame(b); err == nil && !bytes.Equal(again, b) {
			t.Fatalf("read %x, wrote %x", b, again)
		}
	})
}
