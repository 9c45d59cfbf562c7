package ds

import (
	"errors"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Bounds of what waits in a group for a member to let its makers in again. Nobody
// can tell before then whether a member made it.
const (
	maxAccess     = 8
	maxAccessSize = 12 << 10 // octets of one request; its tokens are most of it
	maxAccessDays = 1        // beside the one on which it came
)

// accessRecord is an access request that waits.
type accessRecord struct {
	day     uint32
	version uint64 // of the group when it came
	leaf    mls.LeafIndex
	request []byte // as it came
}

func (a *accessRecord) MarshalTLS(w *tlscodec.Writer) {
	w.Uint32(a.day)
	w.Uint64(a.version)
	w.Uint32(uint32(a.leaf))
	w.Opaque(a.request)
}

func (a *accessRecord) UnmarshalTLS(r *tlscodec.Reader) {
	*a = accessRecord{r.Uint32(), r.Uint64(), mls.LeafIndex(r.Uint32()), r.Opaque()}
}

// day is the time as records have it.
func (r *request) day() uint32 { return uint32(r.now.Unix() / 86400) }

func accessKey(place int) []byte { return []byte{keyAccess, byte(place)} }

// waiting reads the access requests of the group, by their places. One that does
// not open, or is too old, is none.
func (r *request) waiting() (map[int]*accessRecord, error) {
	var lookups []Lookup
	for i := range maxAccess {
		if r.group.head.access&(1<<i) != 0 {
			lookups = append(lookups, Lookup{Key: accessKey(i)})
		}
	}
	found, err := r.group.read(lookups...)
	if err != nil {
		return nil, err
	}
	out := map[int]*accessRecord{}
	for i, f := range found {
		a := new(accessRecord)
		plain, ok := r.service.open(r.group.id, lookups[i].Key, f.Value)
		if ok && mls.Unmarshal(plain, a) == nil && r.day() <= a.day+maxAccessDays {
			out[int(lookups[i].Key[1])] = a
		}
	}
	return out, nil
}

// doAccessRequest keeps a request of somebody who has no key that opens the
// group, unchecked, until a member brings one. The answer is the same if there is
// no such group, and if nothing is kept: of several by one leaf the last is, and
// the oldest goes if there are too many.
func doAccessRequest(r *request) (mls.Marshaler, error) {
	if !r.GroupStateKey.IsZero() { // it would be kept
		return nil, &wire.Error{Code: wire.CodeMalformed}
	}
	encoded, err := mls.Marshal(r.Request)
	if err != nil {
		return nil, err
	}
	if len(encoded) > maxAccessSize {
		return nil, errTooLarge
	}
	g := r.group
	if len(g.head.wraps) == 0 || r.payment == nil && r.service.limiter.take(accessLimitKey(g.id), r.service.cfg.PerLeaf, r.now) > 0 {
		g.void = true
		return &wire.Empty{}, nil
	}
	waiting, err := r.waiting()
	if err != nil {
		return nil, err
	}
	at := accessPlace(waiting, r.Auth.Leaf)
	plain, err := mls.Marshal(&accessRecord{r.day(), g.base, r.Auth.Leaf, encoded})
	if err != nil {
		return nil, err
	}
	sealed, err := r.service.seal(g.id, accessKey(at), plain)
	if err != nil {
		return nil, err
	}
	g.putPlain(accessKey(at), sealed)
	g.head.access, g.rewriteHead = g.head.access|1<<at, true
	return &wire.Empty{}, nil
}

// accessPlace returns where a request of a leaf goes: to the place of its last
// one, to one that is free, or to that of the oldest.
func accessPlace(waiting map[int]*accessRecord, l mls.LeafIndex) int {
	oldest, free := 0, -1
	for i := range maxAccess {
		switch a := waiting[i]; {
		case a == nil:
			free = i
		case a.leaf == l:
			return i
		case waiting[oldest] != nil && a.version < waiting[oldest].version:
			oldest = i
		}
	}
	if free >= 0 {
		return free
	}
	return oldest
}

// handOut gives the access requests that wait to the member whose request is
// answered, those that a member made, and forgets all.
func (r *request) handOut(to *wire.Accepted) error {
	g := r.group
	if g.head.access == 0 {
		return nil
	}
	waiting, err := r.waiting()
	if err != nil {
		return err
	}
	for i := range maxAccess {
		if g.head.access&(1<<i) == 0 {
			continue
		}
		g.delete(accessKey(i))
		a := waiting[i]
		if a == nil || a.leaf == r.Auth.Leaf { // who has a key by now needs none
			continue
		}
		if ok, err := r.genuine(a); err != nil {
			return err
		} else if ok {
			to.Access = append(to.Access, a.request)
		}
	}
	g.head.access, g.rewriteHead = 0, true
	return nil
}

// genuine reports whether the member that is at the leaf once this request is
// carried out signed an access request. All else was checked when it came.
func (r *request) genuine(a *accessRecord) (bool, error) {
	leaf, err := r.leafAfter(a.leaf)
	if errors.Is(err, tree.ErrNoMember) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	asked, err := wire.ParseRequest(a.request, maxAccessSize)
	if err != nil {
		return false, errors.Join(errStore, err)
	}
	tbs, err := asked.TBS()
	if err != nil {
		return false, errors.Join(errStore, err)
	}
	return r.public.Suite().VerifyWithLabel(leaf.SignatureKey, wire.SignatureLabel, tbs, asked.Auth.Signature) == nil, nil
}

// leafAfter returns a leaf as it will be.
func (r *request) leafAfter(l mls.LeafIndex) (*mls.LeafNode, error) {
	if r.staged != nil {
		return r.staged.Effects.Edit.Leaf(l)
	}
	return r.public.Leaf(l)
}
