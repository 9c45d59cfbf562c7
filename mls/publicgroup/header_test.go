package publicgroup_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
)

// record is what the store keeps beside tree nodes.
type record interface {
	mls.Marshaler
	mls.Unmarshaler
}

// records are samples of each kind, with every optional part there and not.
func records(t testing.TB) []record {
	s := standard(t, nil)
	plain := s.group.Header()
	s.propose(member(1), remove(2))
	s.propose(outside, s.psk("x"))
	s.propose(member(4), selfRemove)
	busy := *s.group.Header()
	busy.ReInit = &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, CipherSuite: s.suite.ID()}
	bare := *plain
	bare.Info, bare.Retained = nil, nil
	return []record{plain, &busy, &bare, must(s.store.Proposal(busy.Pending[0].Ref)), must(s.store.Retained(1)),
		&publicgroup.Retained{Epoch: 9, Size: 1 << 20, TreeHash: s.bytes(), Waiting: []mls.LeafIndex{0, 1, 70, 1<<20 - 1}}}
}

func emptyLike(r record) record {
	switch r.(type) {
	case *publicgroup.Header:
		return new(publicgroup.Header)
	case *publicgroup.Pending:
		return new(publicgroup.Pending)
	}
	return new(publicgroup.Retained)
}

// TestRecordCodecs: records survive a round trip, and nothing else decodes that
// looks like one: no strict prefix, no octet more, no other version.
func TestRecordCodecs(t *testing.T) {
	for _, r := range records(t) {
		b := must(mls.Marshal(r))
		back := emptyLike(r)
		if err := mls.Unmarshal(b, back); err != nil {
			t.Errorf("%T: %v", r, err)
			continue
		}
		if !bytes.Equal(must(mls.Marshal(back)), b) {
			t.Errorf("%T changes on a round trip", r)
		}
		for i := range b {
			if err := mls.Unmarshal(b[:i], emptyLike(r)); !errors.Is(err, mls.ErrMalformed) {
				t.Errorf("%T: prefix of %d octets: %v", r, i, err)
			}
		}
		if err := mls.Unmarshal(append(b[:len(b):len(b)], 0), emptyLike(r)); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%T: an octet more: %v", r, err)
		}
		other := append([]byte{b[0] + 1}, b[1:]...)
		if err := mls.Unmarshal(other, emptyLike(r)); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%T: another version: %v", r, err)
		}
	}
}

// TestIncoherentRecords: what encodes but can not be true does not decode.
func TestIncoherentRecords(t *testing.T) {
	sound := func() *publicgroup.Header {
		h := *records(t)[1].(*publicgroup.Header)
		info := *h.Info
		h.Info = &info
		return &h
	}
	for name, spoil := range map[string]func(*publicgroup.Header){
		"no revision":               func(h *publicgroup.Header) { h.Revision = 0 },
		"unknown suite":             func(h *publicgroup.Header) { h.Context.CipherSuite = 99 },
		"version":                   func(h *publicgroup.Header) { h.Context.Version = 2 },
		"short interim hash":        func(h *publicgroup.Header) { h.InterimTranscriptHash = nil },
		"short tag":                 func(h *publicgroup.Header) { h.ConfirmationTag = []byte{1} },
		"two tree hashes":           func(h *publicgroup.Header) { h.Context.TreeHash = flip(h.Context.TreeHash) },
		"signer outside the tree":   func(h *publicgroup.Header) { h.Info.Signer = 8 },
		"tree beyond extensions":    func(h *publicgroup.Header) { h.Info.TreeAt = 3 },
		"short reference":           func(h *publicgroup.Header) { h.Pending[0].Ref = h.Pending[0].Ref[1:] },
		"retained future":           func(h *publicgroup.Header) { h.Retained = []uint64{h.Context.Epoch + 1} },
		"retained twice":            func(h *publicgroup.Header) { h.Retained = []uint64{1, 1} },
		"retained in another order": func(h *publicgroup.Header) { h.Retained = []uint64{2, 1} },
	} {
		h := sound()
		spoil(h)
		if err := mls.Unmarshal(must(mls.Marshal(h)), new(publicgroup.Header)); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, r := range map[string]*publicgroup.Retained{
		"nobody waits":      {Size: 8},
		"outside the tree":  {Size: 8, Waiting: []mls.LeafIndex{8}},
		"not a tree's size": {Size: 6, Waiting: []mls.LeafIndex{1}},
	} {
		if err := mls.Unmarshal(must(mls.Marshal(r)), new(publicgroup.Retained)); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
