package wire

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

// FuzzUnmarshal: what decodes encodes to the same octets.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range samples() {
		data, err := mls.Marshal(s.value)
		if err != nil {
			f.Fatal(err)
		}
		_, isRequest := s.value.(*Request)
		f.Add(isRequest, data)
	}
	f.Fuzz(func(t *testing.T, isRequest bool, data []byte) {
		var v structure = new(Response)
		if isRequest {
			v = new(Request)
		}
		if mls.Unmarshal(data, v) != nil {
			return
		}
		out, err := mls.Marshal(v)
		if err != nil || !bytes.Equal(out, data) {
			t.Fatalf("%x encodes as %x, %v", data, out, err)
		}
	})
}
