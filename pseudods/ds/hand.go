package ds

import "sync"

// place is where a message stands in the store.
type place struct {
	Ref
	sequence uint64
}

// hand keeps parcels from when they are durable until they are delivered, so that
// the dispatcher of the same process need not open and decode what this one has
// just encoded and sealed. The store says what is to be delivered, and in which
// order; what is not in hand, as after a restart, is opened.
type hand struct {
	// mu guards what follows.
	mu      sync.Mutex
	parcels map[place]*parcel
	octets  int
}

// What is in hand at most, and what a recipient counts for, in octets.
const (
	maxInHand      = 32 << 20
	recipientInMem = 512
)

// put takes a parcel that nobody changes any more. When there is no room all
// others are forgotten: those that a dispatcher of another process delivered
// would stay.
func (h *hand) put(at place, p *parcel) {
	size := p.octets()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.parcels == nil || h.octets+size > maxInHand {
		h.parcels, h.octets = map[place]*parcel{}, 0
	}
	if size <= maxInHand {
		h.parcels[at] = p
		h.octets += size
	}
}

// get returns a parcel, or nil. It stays in hand.
func (h *hand) get(at place) *parcel {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.parcels[at]
}

func (h *hand) drop(at place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.parcels[at]; p != nil {
		delete(h.parcels, at)
		h.octets -= p.octets()
	}
}

// octets is about how much memory a parcel takes.
func (p *parcel) octets() (n int) {
	for _, s := range p.shipments {
		n += len(s.Payload) + len(s.Recipients)*recipientInMem
	}
	return n
}
