package mls_test

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

// fuzzKinds are the structures that arrive from others, in a fixed order: a
// fuzz input's first octet chooses one.
var fuzzKinds = []func() structure{
	func() structure { return new(mls.Message) },
	func() structure { return new(mls.RatchetTree) },
	func() structure { return new(mls.GroupSecrets) },
	func() structure { return new(mls.Commit) },
	func() structure { return new(mls.Proposal) },
	func() structure { return new(mls.LeafNode) },
	func() structure { return new(mls.ParentNode) },
	func() structure { return new(mls.AuthenticatedContent) },
	func() structure { return new(mls.PartialGroupInfo) },
	func() structure { return new(mls.AppDataDictionary) },
	func() structure { return new(mls.RequiredCapabilities) },
	func() structure { return new(mls.ExternalSenders) },
	func() structure { return new(mls.SenderData) },
	func() structure { return new(mls.SecretTree) },
	func() structure { return new(mls.PreSharedKeyID) },
	func() structure { return new(mls.GroupContext) },
}

// FuzzUnmarshal: what decodes encodes to the same octets, so that no structure
// has two encodings.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range samples(f) {
		if len(s.data) > 4096 {
			continue
		}
		for kind, mk := range fuzzKinds {
			if mls.Unmarshal(s.data, mk()) == nil {
				f.Add(append([]byte{byte(kind)}, s.data...))
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		mk := fuzzKinds[int(in[0])%len(fuzzKinds)]
		v := mk()
		if mls.Unmarshal(in[1:], v) != nil {
			return
		}
		out, err := mls.Marshal(v)
		if err != nil {
			t.Fatalf("%T decoded but does not encode: %v", v, err)
		}
		if !bytes.Equal(out, in[1:]) {
			t.Fatalf("%T: %x encodes as %x", v, in[1:], out)
		}
	})
}
