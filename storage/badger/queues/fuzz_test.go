package queues_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/storage/badger/queues"
)

// samples are valid records. Those that are open end in octets of any number.
var samples = map[string]struct {
	octets []byte
	open   bool
}{
	"queue": {octets: slices.Concat(make([]byte, 32), []byte{0, 0x20}, make([]byte, 32), make([]byte, 8+4+8+2+1), []byte{2, 'p', 't'})},
	"head": {octets: slices.Concat(make([]byte, 4), []byte{0, 0, 0, 0, 0, 0, 0, 9}, []byte{0, 0, 0, 0, 0, 0, 0, 8},
		[]byte{0, 0, 0, 0, 0, 0, 0, 9}, []byte{0, 0, 0, 0, 0, 0, 0, 8}, make([]byte, 4+4+4+8+2), []byte{1, 1}, make([]byte, 8+8+8+8+8+4))},
	"page":       {octets: slices.Concat(make([]byte, 4+8+8), []byte{0, 0, 0, 7, 0, 2, 'c', 't'})},
	"segment":    {octets: make([]byte, 8), open: true},
	"mark":       {octets: slices.Concat(make([]byte, 4), []byte{1, 0}, make([]byte, 8), []byte{1}, bytes.Repeat([]byte{7}, 16))},
	"references": {octets: []byte{1}, open: true},
	"pool":       {octets: slices.Concat(make([]byte, 32), []byte{1}, make([]byte, 4), make([]byte, 2*(8+3*4+1+4)))},
	"KeyPackage": {octets: make([]byte, 4), open: true},
}

func TestRecordsAreStrict(t *testing.T) {
	for name, s := range samples {
		if b, err := queues.Reparse(name, s.octets); err != nil || !bytes.Equal(b, s.octets) {
			t.Errorf("%s: %x, %v", name, b, err)
		}
		for n := range s.octets {
			if _, err := queues.Reparse(name, s.octets[:n]); !errors.Is(err, queues.ErrCorrupt) {
				t.Errorf("%s: prefix of %d octets: %v", name, n, err)
			}
		}
		_, err := queues.Reparse(name, append(bytes.Clone(s.octets), 0))
		if s.open != (err == nil) {
			t.Errorf("%s: one octet more: %v", name, err)
		}
	}
	floorBeyondLast := bytes.Clone(samples["head"].octets)
	floorBeyondLast[4+15] = 10
	if _, err := queues.Reparse("head", floorBeyondLast); !errors.Is(err, queues.ErrCorrupt) {
		t.Errorf("floor beyond the last entry: %v", err)
	}
}

func FuzzRecords(f *testing.F) {
	for name, s := range samples {
		f.Add(name, s.octets)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if _, ok := samples[name]; !ok {
			return
		}
		b, err := queues.Reparse(name, data)
		if err != nil && !errors.Is(err, queues.ErrCorrupt) {
			t.Fatal(err)
		}
		if err == nil && !bytes.Equal(b, data) {
			t.Fatalf("%x encodes as %x", data, b)
		}
	})
}
