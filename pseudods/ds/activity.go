package ds

import (
	"errors"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
)

// activity is the day, counted from 1970, on which each leaf was last heard of,
// 0 for a leaf that has no member. It is one record for the whole group: in the
// pages of members it would show who roughly it is that acts.
type activity []uint16

func (a *activity) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, day := range *a {
			w.Uint16(day)
		}
	})
}

func (a *activity) UnmarshalTLS(r *tlscodec.Reader) {
	*a = nil
	r.Vector(func(r *tlscodec.Reader) { *a = append(*a, r.Uint16()) })
}

func activityPlace(version uint64) atrest.Place {
	return atrest.Place{Kind: atrest.KindActivity, Version: version}
}

// heard returns the activity of the group, which was read with its header.
func (s *session) heard() (*activity, error) {
	if s.activity != nil {
		return s.activity, nil
	}
	a := new(activity)
	if s.header.activity != 0 {
		plain, err := s.keys.Open(activityPlace(s.header.activity), s.sealedActivity)
		if err != nil {
			return nil, errors.Join(errStore, err)
		}
		if mls.Unmarshal(plain, a) != nil {
			return nil, errStore
		}
	}
	s.activity = a
	return a, nil
}

// mark notes that a leaf is there and was heard of, or, on day 0, that nobody is
// at it any more. Where the service cannot propose, nothing is noted.
func (r *request) mark(l mls.LeafIndex, day uint32) error {
	g := r.group
	if day == 0 {
		g.spare(l)
	} else {
		g.header.idle = without(g.header.idle, l)
	}
	if !r.watches() {
		return nil
	}
	a, err := g.heard()
	if err != nil {
		return err
	}
	for len(*a) <= int(l) {
		*a = append(*a, 0)
	}
	// A mark that is a little old will do, and costs no record for each member
	// and day.
	if was := uint32((*a)[l]); day == 0 && was != 0 || day != 0 && (was == 0 || day > was+uint32(r.service.cfg.IdleDays)/12) {
		(*a)[l] = uint16(day)
		g.touchedActivity, g.rewrite = true, true
	}
	return nil
}

// watches reports whether the service notes when it heard of members.
func (r *request) watches() bool {
	_, _, ok := r.sender()
	return ok && r.service.cfg.IdleDays > 0
}

// sweep looks once a day for members who were not heard of for long.
func (r *request) sweep() error {
	g, today := r.group, r.day()
	if g.header.swept == today || !r.watches() {
		return nil
	}
	a, err := g.heard()
	if err != nil {
		return err
	}
	for l, day := range *a {
		if day != 0 && today > uint32(day)+uint32(r.service.cfg.IdleDays) {
			r.doom(&g.header.idle, mls.LeafIndex(l))
		}
	}
	g.header.swept, g.rewrite = today, true
	return nil
}

func without(list leaves, l mls.LeafIndex) leaves {
	return slices.DeleteFunc(list, func(o mls.LeafIndex) bool { return o == l })
}
