package wire

import (
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// MemberText returns the text in a content of the form that the clients of this
// repository understand (MemberContent of kind text), and false for any other.
// Services see contents in reports alone, and show the text to who decides.
func MemberText(content []byte) ([]byte, bool) {
	const kindText, idSize = 1, 16
	r := tlscodec.NewReader(content, tlscodec.Limits{MaxBytes: max(1, len(content))})
	kind := r.Uint8()
	r.Fixed(idSize)
	text := r.Opaque()
	if r.Finish() != nil || kind != kindText {
		return nil, false
	}
	return text, true
}
