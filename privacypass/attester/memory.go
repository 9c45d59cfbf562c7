package attester

import (
	"bytes"
	"context"
	"sync"
)

// Memory is a [Store] that forgets everything with the process: the reference
// that other stores are tested against, and enough for demonstrations. Its zero
// value is ready for use.
type Memory struct {
	mu        sync.Mutex
	standings map[Account]Standing
	slots     map[Epoch]map[memorySlot]*memoryCharges
	verdicts  map[Epoch]map[memoryVerdict]bool
	dropped   map[Epoch]bool
}

type memoryVerdict struct {
	account Account
	id      [16]byte
}

type memorySlot struct {
	account Account
	class   string
}

type memoryCharges struct {
	spent   int
	replies map[Digest][]byte
}

var _ Store = (*Memory)(nil)

// Look implements [Store].
func (m *Memory) Look(_ context.Context, account Account, slot Slot, request Digest) (View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := View{Standing: m.standings[account]}
	if c := m.slots[slot.Epoch][memorySlot{account, slot.Class}]; c != nil {
		v.Spent, v.Reply = c.spent, bytes.Clone(c.replies[request])
	}
	return v, nil
}

// Charge implements [Store].
func (m *Memory) Charge(_ context.Context, account Account, c Charge) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dropped[c.Slot.Epoch] {
		return nil, ErrPast
	}
	key := memorySlot{account, c.Slot.Class}
	charges := m.slots[c.Slot.Epoch][key]
	if charges == nil {
		charges = &memoryCharges{replies: make(map[Digest][]byte)}
	}
	if reply, ok := charges.replies[c.Request]; ok {
		return bytes.Clone(reply), nil
	}
	if c.Tokens > c.Limit-charges.spent {
		return nil, ErrExhausted
	}
	if m.slots == nil {
		m.standings = make(map[Account]Standing)
		m.slots = make(map[Epoch]map[memorySlot]*memoryCharges)
	}
	if m.slots[c.Slot.Epoch] == nil {
		m.slots[c.Slot.Epoch] = make(map[memorySlot]*memoryCharges)
	}
	m.slots[c.Slot.Epoch][key] = charges
	charges.spent += c.Tokens
	charges.replies[c.Request] = bytes.Clone(c.Reply)
	if s := m.standings[account]; !c.Once && !s.Seen {
		s.Seen, s.First = true, c.Slot.Epoch
		m.standings[account] = s
	}
	return bytes.Clone(c.Reply), nil
}

// Reduce implements [Store].
func (m *Memory) Reduce(_ context.Context, account Account, r *Reduction, now Epoch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Verdict() {
		name := memoryVerdict{account, r.ID}
		switch {
		case m.dropped[r.Expires]:
			return ErrPast
		case m.verdicts[r.Expires][name]:
			return ErrRepeated
		case m.verdicts == nil:
			m.verdicts = make(map[Epoch]map[memoryVerdict]bool)
		}
		if m.verdicts[r.Expires] == nil {
			m.verdicts[r.Expires] = make(map[memoryVerdict]bool)
		}
		m.verdicts[r.Expires][name] = true
	}
	if m.standings == nil {
		m.standings = make(map[Account]Standing)
		m.slots = make(map[Epoch]map[memorySlot]*memoryCharges)
	}
	s := m.standings[account]
	s.Cut = r.Apply(s.Cut, now)
	m.standings[account] = s
	return nil
}

// DropBefore implements [Store].
func (m *Memory) DropBefore(_ context.Context, epoch Epoch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dropped == nil {
		m.dropped = make(map[Epoch]bool)
	}
	for e := range m.slots {
		if e < epoch {
			m.dropped[e] = true
			delete(m.slots, e)
		}
	}
	for e := range m.verdicts {
		if e < epoch {
			m.dropped[e] = true
			delete(m.verdicts, e)
		}
	}
	return nil
}
