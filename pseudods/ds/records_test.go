package ds

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// recordStructures are examples of what is stored, each with an empty one. The
// header is played through by every test of the service.
func recordStructures() []struct{ full, empty body } {
	address := &wire.MemberAddress{Secret: secret.New(make([]byte, 32)), Address: wire.QueueAddress{Domain: "qs.example",
		Sealed: wire.SealedAddress{Kind: wire.AddressBound, KEMOutput: make([]byte, 32), Ciphertext: make([]byte, wire.AddressCiphertextSize)}}}
	return []struct{ full, empty body }{
		{&head{1, 2, []wrap{{3, []byte("wrapped")}, {4, []byte("wrapped")}}, 5, []byte("losses")}, new(head)},
		{&page{0: address, 7: address, 63: address}, new(page)},
		{&accessRecord{1, 2, 3, []byte("request")}, new(accessRecord)},
		{&losses{{1, [16]byte{2}, true}, {leaf: 3}}, new(losses)},
		{&activity{20_000, 0, 20_001}, new(activity)},
		{&leaves{1, 5}, new(leaves)},
		{&join{1, 2, []byte("wrapped"), []byte("sealed")}, new(join)},
		{&joinContent{1, 8, []byte("hash"), 3, []byte("key"), 2, 5}, new(joinContent)},
		{&parcel{"qs.example", []*shipment{{wire.Delivery{Payload: []byte("payload"), Recipients: []wire.Recipient{{Address: address.Address.Sealed}}}, []mls.LeafIndex{4}}}}, new(parcel)},
	}
}

func TestRecordStructures(t *testing.T) {
	for _, tc := range recordStructures() {
		b, err := mls.Marshal(tc.full)
		if err != nil {
			t.Fatalf("%T: %v", tc.full, err)
		}
		if err := mls.Unmarshal(b, tc.empty); err != nil {
			t.Fatalf("%T: %v", tc.full, err)
		}
		if again, err := mls.Marshal(tc.empty); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%T changes on the way: %v", tc.full, err)
		}
		for n := range b {
			if err := mls.Unmarshal(b[:n], tc.empty); !errors.Is(err, tlscodec.ErrMalformed) {
				t.Errorf("%T: prefix of %d octets: %v", tc.full, n, err)
			}
		}
		if err := mls.Unmarshal(append(b, 0), tc.empty); !errors.Is(err, tlscodec.ErrMalformed) {
			t.Errorf("%T: trailing octet: %v", tc.full, err)
		}
	}
}

func FuzzRecordStructures(f *testing.F) {
	for i, tc := range recordStructures() {
		b, err := mls.Marshal(tc.full)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		all := recordStructures()
		v := all[int(which)%len(all)].empty
		if mls.Unmarshal(data, v) != nil {
			return
		}
		if again, err := mls.Marshal(v); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%T: %x becomes %x, %v", v, data, again, err)
		}
	})
}
