package tree

import (
	"fmt"
	"math/bits"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// Header is what a caller keeps of a tree beside its records: a few hundred
// octets.
type Header struct {
	Size   uint32 // leaves of the full tree, a power of two
	Hash   []byte // tree hash of the root
	Census Census
}

// MarshalTLS encodes h.
func (h *Header) MarshalTLS(w *tlscodec.Writer) {
	w.Uint32(h.Size)
	w.Opaque(h.Hash)
	h.Census.MarshalTLS(w)
}

// UnmarshalTLS decodes h. Octet strings alias the input.
func (h *Header) UnmarshalTLS(r *tlscodec.Reader) {
	*h = Header{Size: r.Uint32(), Hash: r.Opaque()}
	h.Census.UnmarshalTLS(r)
	if r.Err() != nil {
		return
	}
	if bits.OnesCount32(h.Size) != 1 || h.Size > mls.MaxLeaves || h.Census.members > h.Size || len(h.Hash) == 0 {
		r.Fail(fmt.Errorf("%w: tree header", tlscodec.ErrValue))
	}
}
