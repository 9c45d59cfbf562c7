package seal

import "crypto/sha256"

// mac is HMAC-SHA256 (RFC 2104) of a label and a message, for a key and a
// message of at most 32 octets. Delivering a message takes two for each
// recipient, and crypto/hmac allocates seven times for each.
func mac(key []byte, label string, message []byte) [sha256.Size]byte {
	const block = sha256.BlockSize
	var b [block + 96]byte
	if len(key) > 32 || len(label)+len(message) > len(b)-block {
		panic("seal: HMAC of a wrong size")
	}
	copy(b[:], key)
	for i := range block {
		b[i] ^= 0x36
	}
	n := block + copy(b[block:], label)
	n += copy(b[n:], message)
	inner := sha256.Sum256(b[:n])
	for i := range block {
		b[i] ^= 0x36 ^ 0x5c
	}
	copy(b[block:], inner[:])
	return sha256.Sum256(b[:block+len(inner)])
}
