package wire

import (
	"crypto/ed25519"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Overflow is what a full queue does with a further entry.
type Overflow uint8

const (
	// OverflowRefuse refuses it. The sender's service learns that the queue is
	// full, and nobody can push out what is already there.
	OverflowRefuse Overflow = 0
	// OverflowDropOldest makes room by dropping the oldest entries. The reader
	// sees a gap in the sequence.
	OverflowDropOldest Overflow = 1
)

// QueueSettings are what an owner chooses for a queue. A zero number asks for
// the service's default; more than the service allows is cut to that.
type QueueSettings struct {
	// Version must grow with each change. A request with one that is not newer
	// changes nothing, so that replaying an old request does not either.
	Version    uint64
	MaxEntries uint32
	MaxBytes   uint64
	TTLDays    uint16
	Overflow   Overflow
	// Push is handed to the service's push hook when an entry arrives that
	// nobody is waiting for. Empty means no push. At most 1024 octets. The store
	// holds it beside the queue: seal in it what names a device to whoever
	// delivers pushes.
	Push []byte
}

const maxPush = 1024

// MarshalTLS encodes s.
func (s *QueueSettings) MarshalTLS(w *tlscodec.Writer) {
	if s.Overflow > OverflowDropOldest || len(s.Push) > maxPush {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Uint64(s.Version)
	w.Uint32(s.MaxEntries)
	w.Uint64(s.MaxBytes)
	w.Uint16(s.TTLDays)
	w.Uint8(uint8(s.Overflow))
	w.Opaque(s.Push)
}

// UnmarshalTLS decodes s.
func (s *QueueSettings) UnmarshalTLS(r *tlscodec.Reader) {
	*s = QueueSettings{Version: r.Uint64(), MaxEntries: r.Uint32(), MaxBytes: r.Uint64(), TTLDays: r.Uint16(),
		Overflow: Overflow(r.Uint8()), Push: r.Opaque()}
	if r.Err() == nil && (s.Overflow > OverflowDropOldest || len(s.Push) > maxPush) {
		r.Fail(fmt.Errorf("%w: queue settings", tlscodec.ErrValue))
	}
}

// CreateQueue is the body of [OpCreateQueue], signed by the key it names. The
// queue's identifier is [QueueIDOf] that key. Creating a queue that exists
// answers with its settings and changes nothing. The answer is a [QueueInfo].
type CreateQueue struct {
	OwnerKey [ed25519.PublicKeySize]byte
	// SegmentKey is what the entries' keys are encapsulated to.
	SegmentKey HPKEKey
	Settings   QueueSettings
}

// MarshalTLS encodes c.
func (c *CreateQueue) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(c.OwnerKey[:])
	c.SegmentKey.MarshalTLS(w)
	c.Settings.MarshalTLS(w)
}

// UnmarshalTLS decodes c.
func (c *CreateQueue) UnmarshalTLS(r *tlscodec.Reader) {
	copy(c.OwnerKey[:], r.Fixed(len(c.OwnerKey)))
	c.SegmentKey.UnmarshalTLS(r)
	c.Settings.UnmarshalTLS(r)
}

// QueueInfo says what holds for a queue.
type QueueInfo struct {
	Queue    QueueID
	Settings QueueSettings
}

// MarshalTLS encodes q.
func (q *QueueInfo) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(q.Queue[:])
	q.Settings.MarshalTLS(w)
}

// UnmarshalTLS decodes q.
func (q *QueueInfo) UnmarshalTLS(r *tlscodec.Reader) {
	copy(q.Queue[:], r.Fixed(len(q.Queue)))
	q.Settings.UnmarshalTLS(r)
}

// ConfigureQueue is the body of [OpConfigureQueue]; the answer is what then
// holds.
type ConfigureQueue = QueueInfo

// DeleteQueue is the body of [OpDeleteQueue], signed by the key it names: so it
// can be asked again when the queue is gone. The answer is empty either way.
type DeleteQueue struct {
	OwnerKey [ed25519.PublicKeySize]byte
}

// MarshalTLS encodes d.
func (d *DeleteQueue) MarshalTLS(w *tlscodec.Writer) { w.Raw(d.OwnerKey[:]) }

// UnmarshalTLS decodes d.
func (d *DeleteQueue) UnmarshalTLS(r *tlscodec.Reader) {
	copy(d.OwnerKey[:], r.Fixed(len(d.OwnerKey)))
}

// RevokeAddress is the body of [OpRevokeAddress]. Nothing that comes by the
// address, or by this stream of a reusable one, is taken from then on; what is
// in the queue stays. It cannot be undone. The answer is empty.
type RevokeAddress struct {
	Queue   QueueID
	Address AddressID // of an address, or the Stream of an [Item]
}

// MarshalTLS encodes a.
func (a *RevokeAddress) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(a.Queue[:])
	w.Raw(a.Address[:])
}

// UnmarshalTLS decodes a.
func (a *RevokeAddress) UnmarshalTLS(r *tlscodec.Reader) {
	copy(a.Queue[:], r.Fixed(len(a.Queue)))
	copy(a.Address[:], r.Fixed(len(a.Address)))
}
