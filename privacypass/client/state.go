package client

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/privacypass"
)

// stateVersion is the first octet of an exported state.
const stateVersion = 1

// Export encodes the request and all of its secrets for [Restore]. Keep the
// result encrypted and erase it once the tokens are finalized: together with the
// issuer's answer it gives the tokens, and it links them to the request.
func (p *Pending) Export() secret.Bytes {
	var w tlscodec.Writer
	w.Uint8(stateVersion)
	w.Uint8(uint8(p.kind))
	w.Vector(func(w *tlscodec.Writer) {
		for _, g := range p.groups() {
			w.Uint16(uint16(g.key.tokenType))
			w.Opaque16(g.key.encoded)
			w.Raw(g.digest[:])
			w.Vector(func(w *tlscodec.Writer) {
				for _, t := range g.items {
					w.Raw(t.nonce[:])
					w.Opaque16(t.factor)
					w.Opaque16(t.inverse)
					w.Opaque8(t.salt)
				}
			})
		}
	})
	b, err := w.Bytes()
	if err != nil {
		panic("client: state has no encoding") // its sizes are bounded far below the codec's limits
	}
	return secret.New(b)
}

// Restore decodes what [Pending.Export] encoded. The request is computed again
// and comes out the same. Anything damaged so that no request follows from it is
// [ErrState].
func Restore(state secret.Bytes) (*Pending, error) {
	// A copy, since what is decoded aliases it and callers wipe theirs.
	r := tlscodec.NewReader(bytes.Clone(state.Reveal()), tlscodec.Limits{})
	if v := r.Uint8(); r.Err() == nil && v != stateVersion {
		return nil, fmt.Errorf("%w: version %d", ErrState, v)
	}
	kind := privacypass.Kind(r.Uint8())
	var groups []group
	r.Vector(func(r *tlscodec.Reader) { groups = append(groups, readGroup(r)) })
	if err := r.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if !shaped(kind, groups) {
		return nil, fmt.Errorf("%w: %v request of %d groups", ErrState, kind, len(groups))
	}
	p, err := newPending(kind, groups)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return p, nil
}

// shaped reports whether groups and items are as many as the kind has.
func shaped(kind privacypass.Kind, groups []group) bool {
	if kind < privacypass.Single || kind > privacypass.Generic || len(groups) == 0 {
		return false
	}
	if kind != privacypass.Generic && len(groups) != 1 {
		return false
	}
	for _, g := range groups {
		if len(g.items) == 0 || kind != privacypass.Amortized && len(g.items) != 1 {
			return false
		}
	}
	return true
}

func readGroup(r *tlscodec.Reader) (g group) {
	t, encoded := privacypass.TokenType(r.Uint16()), r.Opaque16()
	copy(g.digest[:], r.Fixed(sha256.Size))
	if r.Err() != nil {
		return g
	}
	var err error
	if g.key, err = ParsePublicKey(t, encoded); err != nil {
		r.Fail(err)
		return g
	}
	r.Vector(func(r *tlscodec.Reader) {
		var i item
		copy(i.nonce[:], r.Fixed(privacypass.NonceSize))
		i.factor, i.inverse, i.salt = r.Opaque16(), r.Opaque16(), r.Opaque8()
		if r.Err() == nil && !g.key.protocol.checkBlinding(i.blinding) {
			r.Fail(tlscodec.ErrValue)
		}
		g.items = append(g.items, i)
	})
	return g
}
