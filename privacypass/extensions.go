package privacypass

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Extension is a piece of public metadata.
type Extension struct {
	Type uint16
	// Data has at most 65535 octets. Its type says what they mean.
	Data []byte
}

// Extensions is the list of draft-ietf-privacypass-auth-scheme-extensions-03,
// Section 3: in ascending order of types, which may repeat.
type Extensions []Extension

func (e Extensions) sorted() bool {
	return slices.IsSortedFunc(e, func(a, b Extension) int { return cmp.Compare(a.Type, b.Type) })
}

// ParseExtensions decodes a list. A list out of order is [ErrMalformed].
func ParseExtensions(b []byte) (Extensions, error) {
	e := Extensions{}
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	r.Vector16(func(r *tlscodec.Reader) { e = append(e, Extension{r.Uint16(), r.Opaque16()}) })
	if err := r.Finish(); err != nil {
		return nil, malformed("extensions", err)
	}
	if !e.sorted() {
		return nil, malformed("extensions", tlscodec.ErrValue)
	}
	return e, nil
}

// Marshal encodes e. A list out of order, or longer than 65535 octets in all, is
// [ErrInvalid].
func (e Extensions) Marshal() ([]byte, error) {
	if !e.sorted() {
		return nil, fmt.Errorf("%w: extensions out of order", ErrInvalid)
	}
	var w tlscodec.Writer
	w.Vector16(func(w *tlscodec.Writer) {
		for _, x := range e {
			w.Uint16(x.Type)
			w.Opaque16(x.Data)
		}
	})
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return b, nil
}
