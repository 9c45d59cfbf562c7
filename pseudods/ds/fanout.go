package ds

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// parcel is what waits for one provider: all that follows from one request. It
// is made while the group is open, since nothing can be opened later.
type parcel struct {
	domain    string
	shipments []*shipment
}

// shipment is a delivery, and which leaves its recipients are, in order.
type shipment struct {
	wire.Delivery
	leaves []mls.LeafIndex
}

// to adds a recipient, and returns it.
func (s *shipment) to(l mls.LeafIndex, r wire.Recipient) *wire.Recipient {
	s.Recipients, s.leaves = append(s.Recipients, r), append(s.leaves, l)
	return &s.Recipients[len(s.Recipients)-1]
}

func (p *parcel) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque([]byte(p.domain))
	w.Vector(func(w *tlscodec.Writer) {
		for _, s := range p.shipments {
			s.Delivery.MarshalTLS(w)
			for _, l := range s.leaves {
				w.Uint32(uint32(l))
			}
		}
	})
}

func (p *parcel) UnmarshalTLS(r *tlscodec.Reader) {
	*p = parcel{domain: string(r.Opaque())}
	r.Vector(func(r *tlscodec.Reader) {
		s := new(shipment)
		s.Delivery.UnmarshalTLS(r)
		s.leaves = make([]mls.LeafIndex, 0, len(s.Recipients))
		for range s.Recipients {
			s.leaves = append(s.leaves, mls.LeafIndex(r.Uint32()))
		}
		p.shipments = append(p.shipments, s)
	})
}

// portions are the parcel's shipments, in parts that a queue service takes.
func (p *parcel) portions() iter.Seq[*shipment] {
	return func(yield func(*shipment) bool) {
		for _, s := range p.shipments {
			for from := 0; from < len(s.leaves); from += wire.MaxRecipients {
				to := min(from+wire.MaxRecipients, len(s.leaves))
				part := &shipment{wire.Delivery{Payload: s.Payload, Recipients: s.Recipients[from:to]}, s.leaves[from:to]}
				if !yield(part) {
					return
				}
			}
		}
	}
}

// fanout gathers the deliveries of one request.
type fanout struct {
	*request
	parcels map[string]*parcel
	order   []string
}

func (r *request) newFanout() *fanout { return &fanout{request: r, parcels: map[string]*parcel{}} }

// number returns the number of the request's messages at the queue services,
// which the store counts: each has a higher one than those before.
func (r *request) number() uint64 {
	return uint64(r.service.cfg.Restored)<<48 | r.group.sequence + 1
}

// sequence returns the place in the group of the request's message to all
// members, or without one that of the last one before. Messages to one member
// take no place: the others would see a gap, which they must take for a loss.
func (r *request) sequence(next bool) uint64 {
	n := r.group.sequence - r.group.header.targeted
	if next {
		n++
	}
	return uint64(r.service.cfg.Restored)<<48 | n
}

// seal encrypts a message once, at a place in the group.
func (f *fanout) seal(m *wire.Fanout, sequence uint64) (payload []byte, entry *seal.Entry, err error) {
	m.Domain, m.Group = f.service.cfg.Domain, f.group.id
	b, err := mls.Marshal(m)
	if err != nil {
		return nil, nil, err
	}
	payload, key, err := seal.SealPayload(f.service.cfg.Rand, b)
	if err != nil {
		return nil, nil, err
	}
	if len(payload) > wire.MaxPayload {
		return nil, nil, errTooLarge // no queue service takes it
	}
	return payload, &seal.Entry{PayloadKey: key, Sequence: sequence}, nil
}

// recipient addresses an entry, which is not in it yet.
func (f *fanout) recipient(a *wire.QueueAddress, s seal.DeliverySecret) wire.Recipient {
	return wire.Recipient{Address: a.Sealed, Binding: seal.Binding(f.group.id[:], a.Nonce), Number: seal.Number(s, f.number())}
}

// add begins a delivery of a payload to one provider.
func (f *fanout) add(domain string, payload []byte) *shipment {
	p := f.parcels[domain]
	if p == nil {
		p = &parcel{domain: domain}
		f.parcels[domain], f.order = p, append(f.order, domain)
	}
	s := &shipment{Delivery: wire.Delivery{Payload: payload}}
	p.shipments = append(p.shipments, s)
	return s
}

// saltBuffer is how much randomness is drawn at a time for entries.
const saltBuffer = 1 << 10

// toAll sends a message to all members of the epoch as it is, its sender too: a
// queue service that saw all but one would know who sent it, and a sender's
// other devices read along.
func (f *fanout) toAll(m *wire.Fanout) error {
	if err := f.keep(m); err != nil {
		return err
	}
	payload, entry, err := f.seal(m, f.sequence(true))
	if err != nil {
		return err
	}
	if err := f.group.allPages(); err != nil {
		return err
	}
	shipments := map[string]*shipment{}
	salts := bufio.NewReaderSize(f.service.cfg.Rand, saltBuffer)
	for i := range f.group.header.pages {
		p, err := f.group.page(i)
		if err != nil {
			return err
		}
		for place, a := range p {
			if a == nil {
				continue
			}
			to := shipments[a.Address.Domain]
			if to == nil {
				to = f.add(a.Address.Domain, payload)
				shipments[a.Address.Domain] = to
				// Most often all have one provider.
				room := (len(f.group.header.pages) - i) * pageSize
				to.Recipients, to.leaves = make([]wire.Recipient, 0, room), make([]mls.LeafIndex, 0, room)
			}
			s := seal.DeliverySecret{Bytes: a.Secret}
			r := to.to(mls.LeafIndex(i*pageSize+place), f.recipient(&a.Address, s))
			if err := entry.SealTo(&r.Entry, salts, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// toOne sends a message to one member, who need not have an address: a member
// that blocks the group does not tell the others.
func (f *fanout) toOne(m *wire.Fanout, to mls.LeafIndex) error {
	if err := f.keep(m); err != nil {
		return err
	}
	p, err := f.group.page(int(to / pageSize))
	if err != nil {
		return err
	}
	a := p[to%pageSize]
	if a == nil {
		return nil
	}
	payload, entry, err := f.seal(m, f.sequence(false))
	if err != nil {
		return err
	}
	s := seal.DeliverySecret{Bytes: a.Secret}
	r := f.add(a.Address.Domain, payload).to(to, f.recipient(&a.Address, s))
	if err := entry.SealTo(&r.Entry, f.service.cfg.Rand, s); err != nil {
		return err
	}
	f.group.header.targeted, f.group.rewrite = f.group.header.targeted+1, true
	return nil
}

// toJoiner sends a Welcome to a client that has nothing but its KeyPackage.
func (f *fanout) toJoiner(m *wire.Fanout, at mls.LeafIndex, to *wire.KeyPackageAddress, s secret.Bytes) error {
	payload, entry, err := f.seal(m, f.sequence(true))
	if err != nil {
		return err
	}
	r := f.add(to.Address.Domain, payload).to(at, f.recipient(&to.Address, seal.DeliverySecret{Bytes: s}))
	if r.Entry, err = seal.SealWelcomeEntry(to.WelcomeKey, entry); err != nil {
		return fmt.Errorf("%w: %w", mls.ErrKeyPackage, err)
	}
	return nil
}

// partSize is how much of a parcel one part of a message holds.
const partSize = 256 << 10

// finish puts one sealed message for each provider into the batch.
func (f *fanout) finish() error {
	if len(f.order) > MaxLanes {
		return errTooLarge
	}
	for _, domain := range f.order {
		m := Message{Lane: f.service.lane(f.group.id, domain)}
		b, err := mls.Marshal(f.parcels[domain])
		if err != nil {
			return err
		}
		for len(b) > 0 {
			n := min(partSize, len(b))
			part, err := f.service.seal(f.group.id, partPlace(m.Lane, f.group.sequence+1, len(m.Parts), n == len(b)), b[:n])
			if err != nil {
				return err
			}
			m.Parts, b = append(m.Parts, part), b[n:]
		}
		f.group.messages, f.group.parcels = append(f.group.messages, m), append(f.group.parcels, f.parcels[domain])
	}
	return nil
}

// lane names a provider's messages without saying which provider it is.
func (s *Service) lane(group wire.GroupID, domain string) Lane {
	return Lane(s.derive("lane", group[:], []byte(domain))[:len(Lane{})])
}

func partPlace(l Lane, sequence uint64, part int, last bool) []byte {
	b := binary.BigEndian.AppendUint64(append([]byte("part"), l[:]...), sequence)
	b = binary.BigEndian.AppendUint32(b, uint32(part))
	if last {
		return append(b, 1)
	}
	return append(b, 0)
}

// openMessage opens what finish sealed.
func (s *Service) openMessage(group wire.GroupID, m *Message) (*parcel, error) {
	var b []byte
	for i, part := range m.Parts {
		plain, ok := s.open(group, partPlace(m.Lane, m.Sequence, i, i == len(m.Parts)-1), part)
		if !ok {
			return nil, errStore
		}
		b = append(b, plain...)
	}
	p := new(parcel)
	if mls.Unmarshal(b, p) != nil {
		return nil, errStore
	}
	return p, nil
}
