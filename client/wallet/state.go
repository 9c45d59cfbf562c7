package wallet

import (
	"crypto/sha256"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/tokens"
)

// state is what the file holds. A state is never modified once it is saved:
// changes are made to a copy. Elements are shared between copies.
type state struct {
	stock     []stocked  // unspent tokens, oldest first
	fetches   []fetch    // at most one for each class
	spendings []spending // requests without an answer, oldest first
	nextID    uint64     // of a spending
}

// stocked is an unspent token.
type stocked struct {
	class tokens.Class
	token *privacypass.Token
}

// fetch is a request to an issuer that was not answered yet.
type fetch struct {
	class   tokens.Class
	key     privacypass.KeyID
	digest  [sha256.Size]byte // of the challenge
	pending secret.Bytes      // an exported client.Pending
}

// spending is a request that may have been sent. Its tokens are kept to be given
// back if it was not.
type spending struct {
	id      uint64
	request []byte
	tokens  []stocked
}

func (s *state) clone() *state {
	return &state{
		stock:     append([]stocked(nil), s.stock...),
		fetches:   append([]fetch(nil), s.fetches...),
		spendings: append([]spending(nil), s.spendings...),
		nextID:    s.nextID,
	}
}

func (s *state) fetch(class tokens.Class) *fetch {
	for i := range s.fetches {
		if s.fetches[i].class == class {
			return &s.fetches[i]
		}
	}
	return nil
}

// size is the number of octets of all outstanding requests.
func (s *state) size() (n int) {
	for _, p := range s.spendings {
		n += len(p.request)
	}
	return n
}

func (s *state) marshal() ([]byte, error) {
	var w tlscodec.Writer
	writeStock(&w, s.stock)
	w.Vector(func(w *tlscodec.Writer) {
		for _, f := range s.fetches {
			w.Opaque8([]byte(f.class))
			w.Raw(f.key[:])
			w.Raw(f.digest[:])
			w.Opaque(f.pending.Reveal())
		}
	})
	w.Vector(func(w *tlscodec.Writer) {
		for _, p := range s.spendings {
			w.Uint64(p.id)
			w.Opaque(p.request)
			writeStock(w, p.tokens)
		}
	})
	w.Uint64(s.nextID)
	return w.Bytes()
}

func writeStock(w *tlscodec.Writer, stock []stocked) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, t := range stock {
			w.Opaque8([]byte(t.class))
			b, err := t.token.Marshal()
			if err != nil {
				w.Fail(err)
			}
			w.Opaque16(b)
		}
	})
}

// parseState decodes the plaintext of a file. What it returns aliases b. Ids
// rise and are below nextID, and no token occurs twice.
func parseState(b []byte) (*state, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{MaxBytes: maxFile, MaxElements: 1 << 17})
	s := &state{}
	seen := make(map[[64]byte]bool)
	s.stock = readStock(r, seen)
	r.Vector(func(r *tlscodec.Reader) {
		f := fetch{class: tokens.Class(r.Opaque8())}
		copy(f.key[:], r.Fixed(len(f.key)))
		copy(f.digest[:], r.Fixed(len(f.digest)))
		f.pending = secret.Clone(r.Opaque())
		if s.fetch(f.class) != nil {
			r.Fail(tlscodec.ErrValue)
		}
		s.fetches = append(s.fetches, f)
	})
	r.Vector(func(r *tlscodec.Reader) {
		p := spending{id: r.Uint64(), request: r.Opaque()}
		p.tokens = readStock(r, seen)
		if n := len(s.spendings); n > 0 && s.spendings[n-1].id >= p.id {
			r.Fail(tlscodec.ErrValue)
		}
		s.spendings = append(s.spendings, p)
	})
	s.nextID = r.Uint64()
	if n := len(s.spendings); n > 0 && s.spendings[n-1].id >= s.nextID {
		r.Fail(tlscodec.ErrValue)
	}
	if err := r.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return s, nil
}

func readStock(r *tlscodec.Reader, seen map[[64]byte]bool) (stock []stocked) {
	r.Vector(func(r *tlscodec.Reader) {
		t := stocked{class: tokens.Class(r.Opaque8())}
		b := r.Opaque16()
		if r.Err() != nil {
			return
		}
		var err error
		if t.token, err = privacypass.ParseToken(b); err != nil {
			r.Fail(err)
			return
		}
		id := identity(t.token)
		if seen[id] {
			r.Fail(tlscodec.ErrValue)
		}
		seen[id] = true
		stock = append(stock, t)
	})
	return stock
}

// identity is what makes a token the same one to a service.
func identity(t *privacypass.Token) (id [64]byte) {
	copy(id[:], t.KeyID[:])
	copy(id[len(t.KeyID):], t.Nonce[:])
	return id
}
