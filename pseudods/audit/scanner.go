package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// Scanner looks for a set of needles. It does not change once it is made, and
// may be used by several goroutines.
type Scanner struct {
	kinds   []Kind
	needles []int // index of the kind of each
	looked  []int // how many there are of each kind

	patterns []pattern
	longest  int
	// Patterns are found by their first octets, which filter, one bit for a hash
	// of them, rules out nearly everywhere.
	anchors map[uint64][]int
	filter  []uint64
	shift   uint
}

// anchor is how many octets patterns are found by.
const anchor = 8

// New returns a scanner for needles. Two of one kind with the same octets are
// one. It fails with [ErrNeedle].
func New(needles []Needle) (*Scanner, error) {
	s := &Scanner{longest: anchor, anchors: map[uint64][]int{}}
	seen := map[string]bool{}
	for _, n := range needles {
		if err := n.check(); err != nil {
			return nil, err
		}
		if id := string(n.Kind) + "\x00" + string(n.Octets); seen[id] {
			continue
		} else {
			seen[id] = true
		}
		kind := slices.Index(s.kinds, n.Kind)
		if kind < 0 {
			if len(s.kinds) == MaxKinds {
				return nil, fmt.Errorf("%w: more than %d kinds", ErrNeedle, MaxKinds)
			}
			kind = len(s.kinds)
			s.kinds, s.looked = append(s.kinds, n.Kind), append(s.looked, 0)
		}
		s.patterns = append(s.patterns, n.patterns(len(s.needles))...)
		s.needles = append(s.needles, kind)
		s.looked[kind]++
	}
	// 64 bits for each pattern leave one place in 64 to look up.
	size := max(16, bits.Len(uint(64*len(s.patterns))))
	s.filter, s.shift = make([]uint64, 1<<size/64), uint(64-size)
	for i, p := range s.patterns {
		a := binary.BigEndian.Uint64(p.octets)
		s.anchors[a] = append(s.anchors[a], i)
		h := s.hash(a)
		s.filter[h/64] |= 1 << (h % 64)
		s.longest = max(s.longest, len(p.octets))
	}
	return s, nil
}

func (s *Scanner) hash(a uint64) uint64 { return a * 0x9e3779b97f4a7c15 >> (s.shift & 63) }

// scan calls found for each pattern in data that ends after so many octets.
func (s *Scanner) scan(data []byte, after int, found func(*pattern)) {
	if len(data) < anchor {
		return
	}
	filter := s.filter
	a := binary.BigEndian.Uint64(data) >> 8
	for i := anchor - 1; i < len(data); i++ {
		a = a<<8 | uint64(data[i])
		if h := s.hash(a); filter[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		start := i - (anchor - 1)
		for _, at := range s.anchors[a] {
			p := &s.patterns[at]
			if end := start + len(p.octets); end > after && end <= len(data) && bytes.Equal(data[start:end], p.octets) {
				found(p)
			}
		}
	}
}
