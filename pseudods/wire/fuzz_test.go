package wire

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

var kinds = []func() structure{
	func() structure { return new(Request) },
	func() structure { return new(Response) },
	func() structure { return new(PseudonymousCredential) },
}

// FuzzUnmarshal: what decodes encodes to the same octets.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range samples() {
		data, err := mls.Marshal(s.value)
		if err != nil {
			f.Fatal(err)
		}
		for kind, empty := range kinds {
			if mls.Unmarshal(data, empty()) == nil {
				f.Add(byte(kind), data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		v := kinds[int(kind)%len(kinds)]()
		if mls.Unmarshal(data, v) != nil {
			return
		}
		out, err := mls.Marshal(v)
		if err != nil || !bytes.Equal(out, data) {
			t.Fatalf("%x encodes as %x, %v", data, out, err)
		}
	})
}
