package ds

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"slices"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// errStore: a record is missing or malformed that this package wrote.
var errStore = errors.New("ds: store is inconsistent")

// errTooLarge: a change needs a record that no store takes.
var errTooLarge = errors.New("ds: change too large")

// errProviders: members would have queues at more than [MaxProviders].
var errProviders = errors.New("ds: too many providers")

// session is one request's work on one group at one version: what it reads, and
// the batch that it will commit. All that it reads is of that version, else it
// fails with [ErrConflict] and the request starts over. Records are kept open
// and sealed last, so that a request that begins a generation writes all of its
// records in it. A session is not safe for concurrent use.
type session struct {
	ctx   context.Context
	store Store
	rand  io.Reader
	id    wire.GroupID

	base, sequence uint64
	ahead          []Lookup // what was read with the head
	found          []Record // the answers
	head           head
	header         header
	keys           *atrest.Keys
	profile        wire.Profile // of the group, by which its credentials are read

	sealedActivity  []byte // as read with the header
	activity        *activity
	touchedActivity bool

	current map[mls.NodeIndex]uint64 // epoch of a node's newest version, if read
	opened  map[int]*page
	dirty   map[int]bool // pages of opened
	moved   bool         // a member has come to a provider, which may be a new one
	rewrite bool         // head and header
	// rewriteHead is for changes that take no key.
	rewriteHead bool
	// void tells that there is nothing to write and nothing to remember.
	void     bool
	plain    map[string][]byte
	sealed   map[string]pending
	deletes  map[string]bool
	messages []Message
	parcels  []*parcel // what is in them
}

// newSession reads a group's head; there is none if base is 0. What the session will
// look up in any case is read with it: a store may be far away.
func newSession(ctx context.Context, store Store, rand io.Reader, id wire.GroupID, ahead ...Lookup) (*session, error) {
	s := &session{ctx: ctx, store: store, rand: rand, id: id, current: map[mls.NodeIndex]uint64{}, opened: map[int]*page{},
		dirty: map[int]bool{}, plain: map[string][]byte{}, sealed: map[string]pending{}, deletes: map[string]bool{}}
	snapshot, err := store.Read(ctx, id, append([]Lookup{{Key: []byte{keyHead}}}, ahead...))
	if err != nil || snapshot.Version == 0 {
		return s, err
	}
	s.base, s.sequence = snapshot.Version, snapshot.Sequence
	s.ahead, s.found = ahead, snapshot.Records[1:]
	if mls.Unmarshal(snapshot.Records[0].Value, &s.head) != nil {
		return nil, errStore
	}
	return s, nil
}

// foreseen returns what was read with the head.
func (s *session) foreseen(l Lookup) (Record, bool) {
	for i, a := range s.ahead {
		if a.Prefix == l.Prefix && bytes.Equal(a.Key, l.Key) {
			return s.found[i], true
		}
	}
	return Record{}, false
}

// read answers lookups at the session's version.
func (s *session) read(lookups ...Lookup) ([]Record, error) {
	out := make([]Record, 0, len(lookups))
	for len(lookups) > 0 {
		r, ok := s.foreseen(lookups[0])
		if !ok {
			break
		}
		out, lookups = append(out, r), lookups[1:]
	}
	for len(lookups) > 0 {
		n := min(len(lookups), MaxLookups)
		snapshot, err := s.store.Read(s.ctx, s.id, lookups[:n])
		if err != nil {
			return nil, err
		}
		if snapshot.Version != s.base {
			return nil, ErrConflict
		}
		out, lookups = append(out, snapshot.Records...), lookups[n:]
	}
	return out, nil
}

func (s *session) get(key []byte) ([]byte, error) {
	records, err := s.read(Lookup{Key: key})
	if err != nil {
		return nil, err
	}
	return records[0].Value, nil
}

// load opens and decodes a record. It reports false if there is none.
func (s *session) load(key []byte, place atrest.Place, v mls.Unmarshaler) (bool, error) {
	sealed, err := s.get(key)
	if err != nil || sealed == nil {
		return false, err
	}
	return true, s.decode(sealed, place, v)
}

func (s *session) decode(sealed []byte, place atrest.Place, v mls.Unmarshaler) error {
	plain, err := s.keys.Open(place, sealed)
	if err != nil {
		return errors.Join(errStore, err)
	}
	if mls.Unmarshal(plain, v) != nil {
		return errStore
	}
	return nil
}

func (s *session) link(g atrest.Generation) ([]byte, error) {
	sealed, err := s.get(number32(keyLink, uint32(g)))
	if err == nil && sealed == nil {
		err = errStore
	}
	return sealed, err
}

// absent stands for the head of a group that does not exist any more or yet, so that a request
// for one takes as long as one with a wrong key.
var absent = head{wraps: []wrap{{0, make([]byte, 12+atrest.KeySize+16)}}}

// open opens the group with the group state key of any epoch that still does.
// It fails with [atrest.ErrKey], also if there is no group.
func (s *session) open(stateKey secret.Bytes) error {
	h := &s.head
	if len(h.wraps) == 0 {
		h = &absent
	}
	for _, w := range slices.Backward(h.wraps) {
		keys, err := atrest.Unwrap(s.id[:], stateKey, w.epoch, h.generation, w.sealed, s.link)
		if errors.Is(err, atrest.ErrKey) {
			continue
		}
		if err != nil {
			return err
		}
		s.keys = keys
		found, err := s.read(Lookup{Key: []byte{keyHeader}}, Lookup{Key: []byte{keyActivity}})
		if err != nil {
			return err
		}
		s.sealedActivity = found[1].Value
		return s.decode(found[0].Value, headerPlace(h.header), &s.header)
	}
	return atrest.ErrKey
}

func headerPlace(version uint64) atrest.Place {
	return atrest.Place{Kind: atrest.KindHeader, Version: version}
}

// name returns the key of a record that is looked up by content.
func (s *session) name(kind byte, content []byte) []byte {
	return keyedName(s.header.indexKey, kind, content)
}

func keyedName(key secret.Bytes, kind byte, content []byte) []byte {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write([]byte{kind})
	h.Write(content)
	return append([]byte{kind}, h.Sum(nil)[:nameSize]...)
}

// namedPlace is where a named record stands.
func namedPlace(kind atrest.Kind, key []byte) atrest.Place {
	var index uint64
	for _, b := range key[1:9] {
		index = index<<8 | uint64(b)
	}
	return atrest.Place{Kind: kind, Index: index}
}

// page returns a page of members, which the caller may change after telling so
// with touch.
func (s *session) page(i int) (*page, error) {
	if p := s.opened[i]; p != nil {
		return p, nil
	}
	p := new(page)
	if i < len(s.header.pages) && s.header.pages[i] != 0 {
		ok, err := s.load(number32(keyMembers, uint32(i)), pagePlace(i, s.header.pages[i]), p)
		if err == nil && !ok {
			err = errStore
		}
		if err != nil {
			return nil, err
		}
	}
	s.opened[i] = p
	return p, nil
}

func pagePlace(i int, version uint64) atrest.Place {
	return atrest.Place{Kind: atrest.KindMembers, Index: uint64(i), Version: version}
}

// allPages opens all pages with one read.
func (s *session) allPages() error {
	var missing []int
	var lookups []Lookup
	for i, v := range s.header.pages {
		if s.opened[i] == nil && v != 0 {
			missing, lookups = append(missing, i), append(lookups, Lookup{Key: number32(keyMembers, uint32(i))})
		}
	}
	records, err := s.read(lookups...)
	if err != nil {
		return err
	}
	for n, i := range missing {
		s.opened[i] = new(page)
		if err := s.decode(records[n].Value, pagePlace(i, s.header.pages[i]), s.opened[i]); err != nil {
			return err
		}
	}
	return nil
}

// setAddress sets or, with nil, forgets a leaf's address.
func (s *session) setAddress(l mls.LeafIndex, a *wire.MemberAddress) error {
	i := int(l / pageSize)
	p, err := s.page(i)
	if err != nil {
		return err
	}
	if a == nil && p[l%pageSize] == nil {
		return nil
	}
	if a != nil {
		s.header.dead = without(s.header.dead, l)
		if old := p[l%pageSize]; old == nil || old.Address.Domain != a.Address.Domain {
			s.moved = true
		}
	}
	p[l%pageSize] = a
	s.dirty[i], s.rewrite = true, true
	for len(s.header.pages) <= i {
		s.header.pages = append(s.header.pages, 0)
	}
	return nil
}

// checkProviders fails with errProviders if members have addresses at more than
// [MaxProviders].
func (s *session) checkProviders() error {
	if err := s.allPages(); err != nil {
		return err
	}
	there := map[string]bool{}
	for _, p := range s.opened {
		for _, a := range p {
			if a != nil {
				there[a.Address.Domain] = true
			}
		}
	}
	if len(there) > MaxProviders {
		return errProviders
	}
	return nil
}

// maxWraps bounds how many epochs a member may lag behind, as long as nobody
// was removed since.
const maxWraps = 32

// wrapFor lets the group state key of an epoch open the group.
func (s *session) wrapFor(epoch uint64, stateKey secret.Bytes) error {
	sealed, err := s.keys.Wrap(s.rand, stateKey, epoch)
	if err != nil {
		return err
	}
	s.head.wraps = append(s.head.wraps, wrap{epoch, sealed})
	s.head.wraps = s.head.wraps[max(0, len(s.head.wraps)-maxWraps):]
	s.rewrite = true
	return nil
}

// newGeneration begins a generation of the data key. The keys of the epochs
// before open the group no more.
func (s *session) newGeneration() error {
	keys, link, err := s.keys.Next(s.rand)
	if err != nil {
		return err
	}
	s.keys, s.head.generation, s.head.wraps, s.rewrite = keys, keys.Generation(), nil, true
	s.putPlain(number32(keyLink, uint32(keys.Generation())), link)
	return nil
}

// nodeRecord opens a version of a node. An empty one was deleted.
func (s *session) nodeRecord(x mls.NodeIndex, epoch uint64, sealed []byte) (*tree.Record, error) {
	plain, err := s.keys.Open(atrest.Place{Kind: atrest.KindNode, Index: uint64(x), Version: epoch}, sealed)
	if err != nil {
		return nil, errors.Join(errStore, err)
	}
	if len(plain) == 0 {
		return nil, nil
	}
	r := new(tree.Record)
	if mls.Unmarshal(plain, r) != nil {
		return nil, errStore
	}
	return r, nil
}
