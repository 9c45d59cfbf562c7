package qs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// tickets makes the tickets of all recipients of a payload.
func (s *Service) tickets(id wire.PayloadID, recipients int) []wire.Ticket {
	m := s.ticketMAC()
	out := make([]wire.Ticket, recipients)
	for i := range out {
		t := &out[i]
		t.Payload, t.Index = id, uint16(i)
		copy(t.MAC[:], m.of(t))
	}
	return out
}

// ticketMAC makes MACs of tickets, one after the other.
type ticketMAC struct {
	hash.Hash
	buf [64]byte
}

func (s *Service) ticketMAC() *ticketMAC {
	return &ticketMAC{Hash: hmac.New(sha256.New, s.cfg.Keys.TicketKey().Reveal())}
}

// of returns the MAC of a ticket's other fields, until the next call.
func (m *ticketMAC) of(t *wire.Ticket) []byte {
	in := append(append(m.buf[:0], "pseudods 1.0 payload ticket"...), t.Payload[:]...)
	m.Reset()
	m.Write(binary.BigEndian.AppendUint16(in, t.Index))
	return m.Sum(m.buf[:0])[:len(t.MAC)]
}

// checkTickets returns [ErrTicket] unless this service made all of them.
func (s *Service) checkTickets(tickets []wire.Ticket) error {
	m := s.ticketMAC()
	for i := range tickets {
		if !hmac.Equal(m.of(&tickets[i]), tickets[i].MAC[:]) {
			return ErrTicket
		}
	}
	return nil
}

// maxAnswer is how many octets of payloads an answer holds, the first aside.
const maxAnswer = 2 << 20

// Fetch returns the payloads of the first tickets, as many as fit in an answer,
// at least one. A payload that is gone is empty. It fails with [ErrTicket], or
// with [ErrSize] if there are no tickets or too many.
func (s *Service) Fetch(ctx context.Context, tickets []wire.Ticket) (wire.Payloads, error) {
	if len(tickets) == 0 || len(tickets) > MaxPage {
		return nil, ErrSize
	}
	if err := s.checkTickets(tickets); err != nil {
		return nil, err
	}
	var out wire.Payloads
	size := 0
	for _, t := range tickets {
		payload, err := s.cfg.Store.Payload(ctx, t.Payload)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if size += len(payload); size > maxAnswer && len(out) > 0 {
			break
		}
		out = append(out, payload)
	}
	return out, nil
}
