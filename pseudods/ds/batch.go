package ds

import (
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
)

// pending is a record that is to be sealed.
type pending struct {
	place atrest.Place
	plain []byte
}

// put writes a record that is sealed at the end, putPlain one that is not.
func (s *session) put(key []byte, place atrest.Place, v mls.Marshaler) error {
	var plain []byte
	if v != nil {
		var err error
		if plain, err = mls.Marshal(v); err != nil {
			return err
		}
	}
	s.putOctets(key, place, plain)
	return nil
}

func (s *session) putOctets(key []byte, place atrest.Place, plain []byte) {
	delete(s.deletes, string(key))
	s.sealed[string(key)] = pending{place, plain}
}

func (s *session) putPlain(key, value []byte) {
	delete(s.deletes, string(key))
	s.plain[string(key)] = value
}

func (s *session) delete(key []byte) {
	delete(s.plain, string(key))
	delete(s.sealed, string(key))
	s.deletes[string(key)] = true
}

// drop forgets what was to be written so far, but for deletions.
func (s *session) drop() {
	clear(s.plain)
	clear(s.sealed)
	clear(s.dirty)
	s.rewrite, s.touchedActivity = false, false
}

// batch seals what is to be written. It fails with errTooLarge if that is more
// than a store takes at a time, and with errProviders.
func (s *session) batch() (*Batch, error) {
	if s.moved {
		if err := s.checkProviders(); err != nil {
			return nil, err
		}
	}
	b, err := s.seal()
	if err != nil {
		return nil, err
	}
	for _, r := range b.Puts {
		if len(r.Value) > MaxValue {
			return nil, errTooLarge
		}
	}
	if writes, octets := b.Size(); writes > MaxWrites || octets > MaxBatch {
		return nil, errTooLarge
	}
	return b, nil
}

func (s *session) seal() (*Batch, error) {
	version := s.base + 1
	for i := range s.dirty {
		s.header.pages[i] = version
		if err := s.put(number32(keyMembers, uint32(i)), pagePlace(i, version), s.opened[i]); err != nil {
			return nil, err
		}
	}
	if s.touchedActivity {
		s.header.activity = version
		if err := s.put([]byte{keyActivity}, activityPlace(version), s.activity); err != nil {
			return nil, err
		}
	}
	if s.rewrite {
		s.head.header = version
		if err := s.put([]byte{keyHeader}, headerPlace(version), &s.header); err != nil {
			return nil, err
		}
	}
	if s.rewrite || s.rewriteHead {
		b, err := mls.Marshal(&s.head)
		if err != nil {
			return nil, err
		}
		s.putPlain([]byte{keyHead}, b)
	}
	b := &Batch{Base: s.base, Messages: s.messages}
	for key, p := range s.sealed {
		record, err := s.keys.Seal(s.rand, p.place, p.plain)
		if err != nil {
			return nil, err
		}
		b.Puts = append(b.Puts, Record{[]byte(key), record})
	}
	for key, value := range s.plain {
		b.Puts = append(b.Puts, Record{[]byte(key), value})
	}
	for key := range s.deletes {
		b.Deletes = append(b.Deletes, []byte(key))
	}
	return b, nil
}
