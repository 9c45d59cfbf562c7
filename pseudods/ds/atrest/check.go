package atrest

import "encoding/binary"

// Sizes of what [Keys.Wrap] and [Keys.Seal] return, in octets.
const (
	WrapSize   = 12 + KeySize + 16
	sealedOver = 4 + 12 + 16 // of a record, beside the padded content
)

// CheckSealed tells, without a key, whether b can be a record that [Keys.Seal]
// made, and of which generation.
func CheckSealed(b []byte) (Generation, error) {
	n := len(b) - sealedOver
	if n < minPadded || paddedSize(n) != n {
		return 0, ErrRecord
	}
	return Generation(binary.BigEndian.Uint32(b)), nil
}

// CheckLink tells, without a key, whether b can be the link of a generation.
func CheckLink(g Generation, b []byte) error {
	if g == 0 || len(b) != 12+linkKeys(g)*KeySize+16 {
		return ErrKey
	}
	return nil
}
