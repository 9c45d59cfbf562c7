package qs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// ticket makes the ticket of one recipient of a payload.
func (s *Service) ticket(id wire.PayloadID, index uint16) *wire.Ticket {
	t := &wire.Ticket{Payload: id, Index: index}
	copy(t.MAC[:], s.ticketMAC(t))
	return t
}

func (s *Service) ticketMAC(t *wire.Ticket) []byte {
	h := hmac.New(sha256.New, s.cfg.Keys.TicketKey().Reveal())
	h.Write([]byte("pseudods 1.0 payload ticket"))
	h.Write(t.Payload[:])
	h.Write(binary.BigEndian.AppendUint16(nil, t.Index))
	return h.Sum(nil)[:len(t.MAC)]
}

func (s *Service) validTicket(t *wire.Ticket) bool { return hmac.Equal(s.ticketMAC(t), t.MAC[:]) }

// maxAnswer is how many octets of payloads an answer holds, the first aside.
const maxAnswer = 2 << 20

// Fetch returns the payloads of the first tickets, as many as fit in an answer,
// at least one. A payload that is gone is empty. It fails with [ErrTicket], or
// with [ErrSize] if there are no tickets or too many.
func (s *Service) Fetch(ctx context.Context, tickets []wire.Ticket) (wire.Payloads, error) {
	if len(tickets) == 0 || len(tickets) > MaxPage {
		return nil, ErrSize
	}
	for i := range tickets {
		if !s.validTicket(&tickets[i]) {
			return nil, ErrTicket
		}
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
