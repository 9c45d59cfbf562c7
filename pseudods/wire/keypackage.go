package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// PoolID names a pool of KeyPackages, see [PoolIDOf].
type PoolID [16]byte

// PoolIDOf returns the identifier of the pool of an Ed25519 key. A pool has a
// key of its own and not its queue's, so that the service has nothing that ties
// the two.
func PoolIDOf(poolKey []byte) PoolID {
	return PoolID(labelledHash("pseudods 1.0 pool", poolKey)[:16])
}

// PoolKind says what a pool's KeyPackages are for.
type PoolKind uint8

const (
	// PoolConnection is for first contact: whoever knows the pool and pays.
	PoolConnection PoolKind = 1
	// PoolGroup is for adding a contact to a group: it takes a contact token.
	PoolGroup PoolKind = 2
)

// PublishKeyPackages is the body of [OpPublishKeyPackages], signed by the key it
// names; the pool is [PoolIDOf] that key and comes into being with the first
// request. A batch may be published in parts. It is not used before its last
// part is there, and then replaces the one before it at once. The answer is a
// [PoolStatus].
type PublishKeyPackages struct {
	PoolKey [ed25519.PublicKeySize]byte
	Kind    PoolKind
	// Batch must grow from batch to batch. Parts of one that is not newer than
	// the one in use change nothing.
	Batch uint64
	// First is the number of KeyPackages of the batch that were published
	// before this part; parts come in order.
	First uint32
	// KeyPackages of which one at most in a batch is of last resort.
	KeyPackages []PublishedKeyPackage
	// Last tells that the batch is complete.
	Last bool
}

// MarshalTLS encodes p.
func (p *PublishKeyPackages) MarshalTLS(w *tlscodec.Writer) {
	if p.Kind != PoolConnection && p.Kind != PoolGroup {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Raw(p.PoolKey[:])
	w.Uint8(uint8(p.Kind))
	w.Uint64(p.Batch)
	w.Uint32(p.First)
	w.Vector(func(w *tlscodec.Writer) {
		for i := range p.KeyPackages {
			p.KeyPackages[i].MarshalTLS(w)
		}
	})
	w.Bool(p.Last)
}

// UnmarshalTLS decodes p.
func (p *PublishKeyPackages) UnmarshalTLS(r *tlscodec.Reader) {
	*p = PublishKeyPackages{}
	copy(p.PoolKey[:], r.Fixed(len(p.PoolKey)))
	p.Kind = PoolKind(r.Uint8())
	if r.Err() == nil && p.Kind != PoolConnection && p.Kind != PoolGroup {
		r.Fail(fmt.Errorf("%w: pool kind", tlscodec.ErrValue))
	}
	p.Batch = r.Uint64()
	p.First = r.Uint32()
	r.Vector(func(r *tlscodec.Reader) {
		var k PublishedKeyPackage
		k.UnmarshalTLS(r)
		p.KeyPackages = append(p.KeyPackages, k)
	})
	p.Last = r.Bool()
}

// PublishedKeyPackage is a KeyPackage as a queue service keeps it. The service
// cannot read it: the KeyPackages of a pool show pseudonyms that belong to one
// client, and nobody but those who use them shall know that.
type PublishedKeyPackage struct {
	// Sealed is the encoded KeyPackage, encrypted by package seal.
	Sealed []byte
	// LastDay is the last day on which it is handed out, in days since the Unix
	// epoch: the last whole one of its lifetime.
	LastDay uint32
	// LastResort tells that it serves when no other is left, again and again.
	LastResort bool
}

// MarshalTLS encodes k.
func (k *PublishedKeyPackage) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(k.Sealed)
	w.Uint32(k.LastDay)
	w.Bool(k.LastResort)
}

// UnmarshalTLS decodes k.
func (k *PublishedKeyPackage) UnmarshalTLS(r *tlscodec.Reader) {
	*k = PublishedKeyPackage{Sealed: r.Opaque(), LastDay: r.Uint32(), LastResort: r.Bool()}
}

// PoolStatus tells a pool's owner what is there.
type PoolStatus struct {
	Batch uint64 // in use; zero if none
	Left  uint32 // KeyPackages that were not handed out, the last resort aside
	// Staged is how many of the batch under way are there.
	Staged uint32
}

// MarshalTLS encodes s.
func (s *PoolStatus) MarshalTLS(w *tlscodec.Writer) {
	w.Uint64(s.Batch)
	w.Uint32(s.Left)
	w.Uint32(s.Staged)
}

// UnmarshalTLS decodes s.
func (s *PoolStatus) UnmarshalTLS(r *tlscodec.Reader) {
	*s = PoolStatus{Batch: r.Uint64(), Left: r.Uint32(), Staged: r.Uint32()}
}

// ContactHash is what a queue service keeps of a contact token.
type ContactHash [sha256.Size]byte

// Hash returns the token's hash for one pool. Without the token, hashes of the
// same one for two pools are not known as such.
func (t *ContactToken) Hash(pool PoolID) ContactHash {
	return ContactHash(labelledHash("pseudods 1.0 contact token", append(pool[:], t.Reveal()...)))
}

// AllowContact is the body of [OpAllowContact], signed by the pool's key: who
// has the token may fetch from the pool, or may no more, for good. The answer is
// empty.
type AllowContact struct {
	Pool    PoolID
	Contact ContactHash
	Allow   bool
}

// MarshalTLS encodes a.
func (a *AllowContact) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(a.Pool[:])
	w.Raw(a.Contact[:])
	w.Bool(a.Allow)
}

// UnmarshalTLS decodes a.
func (a *AllowContact) UnmarshalTLS(r *tlscodec.Reader) {
	copy(a.Pool[:], r.Fixed(len(a.Pool)))
	copy(a.Contact[:], r.Fixed(len(a.Contact)))
	a.Allow = r.Bool()
}

// DeletePool is the body of [OpDeletePool], signed by the key it names: so it can
// be asked again when the pool is gone. The answer is empty either way.
type DeletePool struct {
	PoolKey [ed25519.PublicKeySize]byte
}

// MarshalTLS encodes d.
func (d *DeletePool) MarshalTLS(w *tlscodec.Writer) { w.Raw(d.PoolKey[:]) }

// UnmarshalTLS decodes d.
func (d *DeletePool) UnmarshalTLS(r *tlscodec.Reader) {
	copy(d.PoolKey[:], r.Fixed(len(d.PoolKey)))
}

// FetchKeyPackage is the body of [OpConnectionPackages] and [OpGroupPackages],
// which nobody signs and tokens pay for. The answer is the Sealed of one
// [PublishedKeyPackage], or [CodeExhausted], which never tells why.
type FetchKeyPackage struct {
	Pool PoolID
	// Contact is for a pool of kind [PoolGroup]; absent for the other.
	Contact ContactToken
}

// MarshalTLS encodes f.
func (f *FetchKeyPackage) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(f.Pool[:])
	w.Bool(!f.Contact.IsZero())
	if !f.Contact.IsZero() {
		f.Contact.write(w)
	}
}

// UnmarshalTLS decodes f.
func (f *FetchKeyPackage) UnmarshalTLS(r *tlscodec.Reader) {
	copy(f.Pool[:], r.Fixed(len(f.Pool)))
	f.Contact = ContactToken{}
	if r.Bool() {
		f.Contact.read(r)
	}
}
