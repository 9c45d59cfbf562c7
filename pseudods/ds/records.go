package ds

import (
	"encoding/binary"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// The first octet of a record's key says what it is. Names are keyed hashes
// under the group's index key, or under a key that only who may ask for the
// record has, so that nobody can look for what is known from elsewhere.
const (
	keyHead     = 'h' // plain: head
	keyHeader   = 'H' // sealed: header
	keyLink     = 'l' // generation -> link, see package atrest
	keyNode     = 'n' // node, ^epoch -> sealed node, nothing in it if deleted
	keyStale    = 's' // epoch -> plain: node versions that the epoch made stale
	keyPublic   = 'k' // name of a public key of the tree -> nothing
	keyProposal = 'p' // name of a proposal -> sealed message
	keyRetained = 'e' // epoch -> sealed publicgroup.Retained
	keyMembers  = 'm' // page -> sealed page
	keyUser     = 'u' // name of a user -> sealed leaves, ascending
	keyActivity = 'y' // sealed: activity
	keyJoin     = 'j' // name of a joiner -> join
	keyJoins    = 'J' // epoch -> plain: names of its joiners
	keyRoster   = 'R' // generation, part -> sealed part
	keyOutcome  = 'c' // epoch -> sealed hash of the commit that began it
	keyAccess   = 'a' // place -> access request, sealed under the service's key
	keyNonce    = 'r' // hash of a nonce -> answer, see nonce.go
	keyExpiry   = 'x' // version -> which nonce expires when
)

const nameSize = 16

func number32(kind byte, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{kind}, n) }
func number64(kind byte, n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{kind}, n) }

// nodeKey orders the versions of a node from the newest to the oldest.
func nodeKey(x mls.NodeIndex, epoch uint64) []byte {
	return binary.BigEndian.AppendUint64(number32(keyNode, uint32(x)), ^epoch)
}

const nodePrefix = 1 + 4

// head is what is known of a group without a key.
type head struct {
	header     uint64 // version at which the header was last written
	generation atrest.Generation
	wraps      []wrap // for the epochs whose group state keys open the group, ascending
	access     uint8  // bit i: there is an access request at place i
	losses     []byte // those that wait, sealed under the service's key; empty if none do
}

type wrap struct {
	epoch  uint64
	sealed []byte
}

func (h *head) MarshalTLS(w *tlscodec.Writer) {
	w.Uint64(h.header)
	w.Uint32(uint32(h.generation))
	w.Vector(func(w *tlscodec.Writer) {
		for _, v := range h.wraps {
			w.Uint64(v.epoch)
			w.Opaque(v.sealed)
		}
	})
	w.Uint8(h.access)
	w.Opaque(h.losses)
}

func (h *head) UnmarshalTLS(r *tlscodec.Reader) {
	*h = head{header: r.Uint64(), generation: atrest.Generation(r.Uint32())}
	r.Vector(func(r *tlscodec.Reader) { h.wraps = append(h.wraps, wrap{r.Uint64(), r.Opaque()}) })
	h.access, h.losses = r.Uint8(), r.Opaque()
}

// header is what every request with a key reads.
type header struct {
	group publicgroup.Header
	// indexKey names what is looked up by content. It stays for the group's
	// life: changing it would rewrite the whole index. A former member who took
	// it out of a copy of the store made while it was a member could tell, with
	// a later copy, whether some public key it knows is in the group.
	indexKey secret.Bytes
	// released is the epoch up to which stale node versions were dropped.
	released uint64
	pages    []uint64 // version at which each page of members was written
	// dead and idle are members who shall leave, since their queues are gone or
	// since they were not heard of for long.
	dead, idle leaves
	activity   uint64 // version at which the activity was written, 0 for never
	swept      uint32 // day on which it was last looked through
	// targeted is how many of the group's batches with messages had none for all
	// members.
	targeted uint64
	// rosters are the generations of the roster that are still there, ascending.
	rosters []rosterGeneration
}

const indexKeySize = 32

func (h *header) MarshalTLS(w *tlscodec.Writer) {
	h.group.MarshalTLS(w)
	w.Raw(h.indexKey.Reveal())
	w.Uint64(h.released)
	w.Vector(func(w *tlscodec.Writer) {
		for _, v := range h.pages {
			w.Uint64(v)
		}
	})
	h.dead.MarshalTLS(w)
	h.idle.MarshalTLS(w)
	w.Uint64(h.activity)
	w.Uint32(h.swept)
	w.Uint64(h.targeted)
	w.Vector(func(w *tlscodec.Writer) {
		for i := range h.rosters {
			h.rosters[i].MarshalTLS(w)
		}
	})
}

func (h *header) UnmarshalTLS(r *tlscodec.Reader) {
	*h = header{}
	h.group.UnmarshalTLS(r)
	h.indexKey = secret.Clone(r.Fixed(indexKeySize))
	h.released = r.Uint64()
	r.Vector(func(r *tlscodec.Reader) { h.pages = append(h.pages, r.Uint64()) })
	h.dead.UnmarshalTLS(r)
	h.idle.UnmarshalTLS(r)
	h.activity, h.swept, h.targeted = r.Uint64(), r.Uint32(), r.Uint64()
	r.Vector(func(r *tlscodec.Reader) {
		var g rosterGeneration
		g.UnmarshalTLS(r)
		h.rosters = append(h.rosters, g)
	})
}

// pageSize is how many members share a record: few enough that a change of one
// is cheap, many enough that a message to all reads few records.
const pageSize = 64

// page has the addresses of pageSize leaves, nil where there is none.
type page [pageSize]*wire.MemberAddress

func (p *page) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for i, m := range p {
			if m != nil {
				w.Uint8(uint8(i))
				m.MarshalTLS(w)
			}
		}
	})
}

func (p *page) UnmarshalTLS(r *tlscodec.Reader) {
	*p = page{}
	next := uint8(0)
	members := new([pageSize]wire.MemberAddress)
	r.Vector(func(r *tlscodec.Reader) {
		i := r.Uint8()
		if r.Err() == nil && (i < next || i >= pageSize) {
			r.Fail(fmt.Errorf("%w: place in a page", tlscodec.ErrValue))
			return
		}
		p[i%pageSize], next = &members[i%pageSize], i+1
		p[i%pageSize].UnmarshalTLS(r)
	})
}

// leaves are some of a group's, such as those of one user.
type leaves []mls.LeafIndex

func (l *leaves) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, i := range *l {
			w.Uint32(uint32(i))
		}
	})
}

func (l *leaves) UnmarshalTLS(r *tlscodec.Reader) {
	*l = nil
	r.Vector(func(r *tlscodec.Reader) { *l = append(*l, mls.LeafIndex(r.Uint32())) })
}

// join lets one joiner get the tree of its epoch, whatever happened to the group
// since: it has a wrap of its own of the data key of that time.
type join struct {
	epoch      uint64
	generation atrest.Generation
	wrapped    []byte
	sealed     []byte // joinContent
}

func (j *join) MarshalTLS(w *tlscodec.Writer) {
	w.Uint64(j.epoch)
	w.Uint32(uint32(j.generation))
	w.Opaque(j.wrapped)
	w.Opaque(j.sealed)
}

func (j *join) UnmarshalTLS(r *tlscodec.Reader) {
	*j = join{r.Uint64(), atrest.Generation(r.Uint32()), r.Opaque(), r.Opaque()}
}

// joinContent says which tree and roster it is, and who may ask for it.
type joinContent struct {
	suite        mls.CipherSuite
	size         uint32
	hash         []byte
	leaf         mls.LeafIndex
	signatureKey []byte
	// The roster as it was in the epoch: the first parts of a generation.
	rosterGeneration uint64
	rosterParts      uint32
}

func (j *joinContent) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(j.suite))
	w.Uint32(j.size)
	w.Opaque(j.hash)
	w.Uint32(uint32(j.leaf))
	w.Opaque(j.signatureKey)
	w.Uint64(j.rosterGeneration)
	w.Uint32(j.rosterParts)
}

func (j *joinContent) UnmarshalTLS(r *tlscodec.Reader) {
	*j = joinContent{mls.CipherSuite(r.Uint16()), r.Uint32(), r.Opaque(), mls.LeafIndex(r.Uint32()), r.Opaque(), r.Uint64(), r.Uint32()}
}
