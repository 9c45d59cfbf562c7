package publicgroup

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// Header is the one record that every operation reads: what an epoch is, and
// which other records there are. Encoded it takes some 500 octets, about 50 for
// each pending proposal and 8 for each retained epoch. It is immutable once it
// is in [Changes].
type Header struct {
	// Revision counts the changes applied, from 1.
	Revision              uint64
	Context               mls.GroupContext
	InterimTranscriptHash []byte
	ConfirmationTag       []byte
	Tree                  tree.Header
	// PathlessAdds counts the members added without a path since the last
	// commit with one.
	PathlessAdds uint32
	// Info is nil if no GroupInfo of this epoch is known.
	Info *Info
	// ReInit closes the group: it is the proposal that the last commit held.
	ReInit  *mls.ReInit
	Pending []PendingEntry // in order of arrival
	// Retained are the epochs that newcomers wait for, ascending.
	Retained []uint64
}

// Info is what a GroupInfo holds beyond what the group's state tells.
type Info struct {
	Signer     mls.LeafIndex
	Extensions mls.Extensions // without ratchet_tree
	// TreeAt is the place of ratchet_tree among the extensions that were
	// signed, counted from 1. 0 means that it is not among them.
	TreeAt    uint32
	Signature []byte
}

// PendingEntry says what a pending proposal is, so that limits and policy need
// not read its record.
type PendingEntry struct {
	Ref    mls.ProposalRef
	Type   mls.ProposalType
	Sender mls.Sender
	Target mls.LeafIndex // the leaf that a Remove removes
	Size   uint32        // of the message, in octets
}

// headerVersion is the first octet of an encoded header.
const headerVersion = 1

// MarshalTLS encodes h.
func (h *Header) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(headerVersion)
	w.Uint64(h.Revision)
	h.Context.MarshalTLS(w)
	w.Opaque(h.InterimTranscriptHash)
	w.Opaque(h.ConfirmationTag)
	h.Tree.MarshalTLS(w)
	w.Uint32(h.PathlessAdds)
	w.Bool(h.Info != nil)
	if h.Info != nil {
		h.Info.MarshalTLS(w)
	}
	w.Bool(h.ReInit != nil)
	if h.ReInit != nil {
		h.ReInit.MarshalTLS(w)
	}
	w.Vector(func(w *tlscodec.Writer) {
		for i := range h.Pending {
			h.Pending[i].MarshalTLS(w)
		}
	})
	w.Vector(func(w *tlscodec.Writer) {
		for _, e := range h.Retained {
			w.Uint64(e)
		}
	})
}

// UnmarshalTLS decodes h and refuses one whose parts contradict each other.
// Octet strings alias the input.
func (h *Header) UnmarshalTLS(r *tlscodec.Reader) {
	*h = Header{}
	if v := r.Uint8(); r.Err() == nil && v != headerVersion {
		r.Fail(fmt.Errorf("%w: header version", tlscodec.ErrValue))
	}
	h.Revision = r.Uint64()
	h.Context.UnmarshalTLS(r)
	h.InterimTranscriptHash, h.ConfirmationTag = r.Opaque(), r.Opaque()
	h.Tree.UnmarshalTLS(r)
	h.PathlessAdds = r.Uint32()
	if r.Bool() {
		h.Info = new(Info)
		h.Info.UnmarshalTLS(r)
	}
	if r.Bool() {
		h.ReInit = new(mls.ReInit)
		h.ReInit.UnmarshalTLS(r)
	}
	r.Vector(func(r *tlscodec.Reader) {
		var e PendingEntry
		e.UnmarshalTLS(r)
		h.Pending = append(h.Pending, e)
	})
	r.Vector(func(r *tlscodec.Reader) { h.Retained = append(h.Retained, r.Uint64()) })
	if r.Err() == nil && !h.coherent() {
		r.Fail(fmt.Errorf("%w: header contradicts itself", tlscodec.ErrValue))
	}
}

func (h *Header) coherent() bool {
	s, err := h.Context.CipherSuite.Suite()
	if err != nil || h.Context.Version != mls.MLS10 || h.Revision == 0 {
		return false
	}
	n := s.HashSize()
	if len(h.InterimTranscriptHash) != n || len(h.ConfirmationTag) != n || !bytes.Equal(h.Tree.Hash, h.Context.TreeHash) {
		return false
	}
	if i := h.Info; i != nil && (uint32(i.Signer) >= h.Tree.Size || int64(i.TreeAt) > int64(len(i.Extensions))+1) {
		return false
	}
	for i := range h.Pending {
		if len(h.Pending[i].Ref) != n {
			return false
		}
	}
	for i, e := range h.Retained {
		if e > h.Context.Epoch || (i > 0 && e <= h.Retained[i-1]) {
			return false
		}
	}
	return true
}

// next returns a copy of h with the next revision, whose lists may be appended
// to and cut without a change to h.
func (h *Header) next() *Header {
	n := *h
	n.Revision++
	n.Pending = slices.Clip(h.Pending)
	n.Retained = slices.Clip(h.Retained)
	return &n
}

// MarshalTLS encodes i.
func (i *Info) MarshalTLS(w *tlscodec.Writer) {
	w.Uint32(uint32(i.Signer))
	i.Extensions.MarshalTLS(w)
	w.Varint(int(i.TreeAt))
	w.Opaque(i.Signature)
}

// UnmarshalTLS decodes i.
func (i *Info) UnmarshalTLS(r *tlscodec.Reader) {
	i.Signer = mls.LeafIndex(r.Uint32())
	i.Extensions.UnmarshalTLS(r)
	i.TreeAt = r.Varint()
	i.Signature = r.Opaque()
}

// MarshalTLS encodes e.
func (e *PendingEntry) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(e.Ref)
	w.Uint16(uint16(e.Type))
	e.Sender.MarshalTLS(w)
	if e.Type == mls.ProposalTypeRemove {
		w.Uint32(uint32(e.Target))
	}
	w.Varint(int(e.Size))
}

// UnmarshalTLS decodes e.
func (e *PendingEntry) UnmarshalTLS(r *tlscodec.Reader) {
	*e = PendingEntry{Ref: r.Opaque(), Type: mls.ProposalType(r.Uint16())}
	e.Sender.UnmarshalTLS(r)
	if e.Type == mls.ProposalTypeRemove {
		e.Target = mls.LeafIndex(r.Uint32())
	}
	e.Size = r.Varint()
}
