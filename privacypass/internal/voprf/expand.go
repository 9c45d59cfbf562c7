package voprf

import "crypto"

// expandMessageXMD is expand_message_xmd of RFC 9380, Section 5.3.1. The tags of
// this package are shorter than 256 octets and the lengths it asks for are at
// most 255 digests, so the function cannot fail.
func expandMessageXMD(h crypto.Hash, msg, dst []byte, size int) []byte {
	d := h.New()
	d.Write(make([]byte, d.BlockSize()))
	d.Write(msg)
	d.Write([]byte{byte(size >> 8), byte(size), 0})
	suffix := append(append(make([]byte, 0, len(dst)+1), dst...), byte(len(dst)))
	d.Write(suffix)
	b0 := d.Sum(nil)

	out := make([]byte, 0, size+d.Size())
	block := make([]byte, d.Size())
	for i := byte(1); len(out) < size; i++ {
		for j := range block {
			block[j] ^= b0[j]
		}
		d.Reset()
		d.Write(block)
		d.Write([]byte{i})
		d.Write(suffix)
		block = d.Sum(block[:0])
		out = append(out, block...)
	}
	return out[:size]
}
