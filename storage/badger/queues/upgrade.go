package queues

import (
	"context"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/storage/badger"
)

// Upgrades are the steps from older versions of [Format], for [badger.Upgrade].
var Upgrades = badger.Upgrades{1: gatherPages}

// headPages is how many octets a head of version 1 lacks: where its pages begin.
const headPages = 8 + 8 + 4

// gatherPages leads from version 1, where each entry had a record of its own and
// heads knew nothing of pages. A head is written after the entries of its queue.
func gatherPages(ctx context.Context, db *badger.DB) error {
	s := &Store{db: db}
	return s.each(ctx, []byte{kindHead}, func(e badger.Entry) error {
		var h head
		if unmarshal(e.Value, &h) == nil {
			return nil // by an earlier attempt
		}
		if err := unmarshal(append(e.Value, make([]byte, headPages)...), &h); err != nil {
			return err
		}
		queue := e.Key[1:]
		for more := true; more; {
			var err error
			if more, err = s.gatherPage(ctx, queue); err != nil {
				return err
			}
		}
		last, _, err := db.Scan(key(kindEntry, queue), nil, 1)
		if err != nil {
			return err
		}
		if h.floor < h.last {
			if len(last) == 0 {
				return ErrCorrupt
			}
			var p page
			if err := unmarshal(last[0].Value, &p); err != nil {
				return err
			}
			if h.tail, err = pageStart(last[0].Key); err != nil {
				return err
			}
			h.first, h.tailDay = h.floor+1, p.day
		}
		return db.Submit(ctx, func(tx *badger.Tx) error {
			tx.Put(e.Key, marshal(&h))
			return nil
		})
	})
}

// gatherPage makes a page of the oldest entries of a queue that have records of
// their own, and reports whether there were any. Their keys come before those of
// pages.
func (s *Store) gatherPage(ctx context.Context, queue []byte) (bool, error) {
	entries, _, err := s.db.Scan(key(kindEntry, queue), nil, maxPageEntries)
	if err != nil {
		return false, err
	}
	var p page
	var start uint64
	var gathered [][]byte
	for _, r := range entries {
		seq, err := seqOf(r.Key)
		if err != nil {
			return false, err
		}
		if seq > ^seq {
			break // the key of a page
		}
		e, err := parseEntry1(r.Value)
		if err != nil {
			return false, err
		}
		switch {
		case len(gathered) == 0:
			start = seq
			if p.day, p.segment, p.total = e.day, e.segment, e.total-uint64(len(e.ciphertext))-qs.EntryOverhead; p.total > e.total {
				return false, ErrCorrupt
			}
		case seq != start+uint64(len(gathered)):
			return false, ErrCorrupt
		}
		if e.day != p.day || e.segment != p.segment {
			break
		}
		p.entries = append(p.entries, pageEntry{e.counter, e.ciphertext})
		gathered = append(gathered, r.Key)
	}
	if len(gathered) == 0 {
		return false, nil
	}
	return true, s.db.Submit(ctx, func(tx *badger.Tx) error {
		tx.Put(pageKey(queue, start), marshal(&p))
		for _, k := range gathered {
			tx.Delete(k)
		}
		return nil
	})
}

// entry1 is the record of an entry in version 1.
type entry1 struct {
	day        qs.Day
	total      uint64 // octets of all entries up to this one
	segment    uint64 // start of its segment
	counter    uint32
	ciphertext []byte
}

// parseEntry1 decodes one: the ciphertext is the rest, so that every octet belongs to
// it.
func parseEntry1(b []byte) (e entry1, err error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	e.day, e.total, e.segment, e.counter, e.ciphertext = qs.Day(r.Uint32()), r.Uint64(), r.Uint64(), r.Uint32(), r.Rest()
	if r.Finish() != nil || len(e.ciphertext) > qs.MaxCiphertext {
		return entry1{}, ErrCorrupt
	}
	return e, nil
}
