package client

import (
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// contentKind says what members tell each other in an application message.
type contentKind uint8

const (
	// contentText is for people.
	contentText contentKind = 1
	// contentHello comes from a member who joined from outside: it tells its link
	// key, which no adder could put into the roster.
	contentHello contentKind = 2
	// contentRoster answers a hello: it tells the key of the present roster.
	contentRoster contentKind = 3
)

// contentIDSize: identifiers of contents do not repeat by chance.
const contentIDSize = 16

// content is the plaintext of an application message.
type content struct {
	kind contentKind
	// id tells repetitions of one content apart from contents that are alike: a
	// sender whose answer was lost encrypts and sends it again.
	id   [contentIDSize]byte
	text []byte // contentText

	client wire.Pseudonym // contentHello
	link   secret.Bytes   // contentHello

	generation uint64       // contentRoster
	key        secret.Bytes // contentRoster
}

func (c *content) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(c.kind))
	w.Raw(c.id[:])
	switch c.kind {
	case contentText:
		w.Opaque(c.text)
	case contentHello:
		w.Raw(c.client[:])
		w.Opaque(c.link.Reveal())
	case contentRoster:
		w.Uint64(c.generation)
		w.Opaque(c.key.Reveal())
	default:
		w.Fail(tlscodec.ErrEncode)
	}
}

func (c *content) UnmarshalTLS(r *tlscodec.Reader) {
	*c = content{kind: contentKind(r.Uint8())}
	copy(c.id[:], r.Fixed(contentIDSize))
	switch c.kind {
	case contentText:
		c.text = r.Opaque()
	case contentHello:
		copy(c.client[:], r.Fixed(len(c.client)))
		c.link = readKey(r, 32)
	case contentRoster:
		c.generation = r.Uint64()
		c.key = readKey(r, wire.RosterKeySize)
	default:
		r.Fail(tlscodec.ErrValue)
	}
}

func readKey(r *tlscodec.Reader, size int) secret.Bytes {
	b := r.Opaque()
	if r.Err() == nil && len(b) != size {
		r.Fail(tlscodec.ErrValue)
	}
	return secret.Clone(b)
}

// grantMark begins the content of a targeted message that answers an access
// request; what follows is sealed, see package seal.
const grantMark = 1
