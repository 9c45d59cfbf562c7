package ds

import (
	"encoding/binary"
	"math"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
)

// GroupRecords is one state of the records of one group.
type GroupRecords interface {
	// Version is that of the group's last batch.
	Version() uint64
	// Get returns a record's value, nil if there is none.
	Get(key []byte) ([]byte, error)
	// Each calls f with all records, in the order of their keys. Key and value
	// are f's until it returns.
	Each(f func(key, value []byte) error) error
}

// CheckGroup goes over the records of one group and reports, with the kind of
// the record, what cannot be right and can be seen without the group's keys:
// keys and plain records that do not decode, sealed ones of an impossible size
// or generation, versions and epochs ahead of the group's, and links, roster parts
// and joiners that are missing. It needs memory for one record at a time. The
// problems are fixed texts. It fails if a record cannot be read.
func CheckGroup(r GroupRecords, problem func(kind, problem string)) error {
	g := &groupCheck{GroupRecords: r, version: r.Version()}
	if err := g.readHead(problem); err != nil {
		return err
	}
	err := r.Each(func(key, value []byte) error {
		if len(key) == 0 {
			problem("unknown", "key")
			return nil
		}
		k, ok := recordKinds[key[0]]
		switch {
		case !ok:
			problem("unknown", "no kind of a group")
		case len(key) != k.key:
			problem(k.name, "key")
		case g.deleted && !keptKinds[key[0]]:
			problem(k.name, "of a deleted group")
		default:
			p, err := k.check(g, key[1:], value)
			if err != nil {
				return err
			}
			if p != "" {
				problem(k.name, p)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	g.compare(problem)
	return nil
}

// groupCheck is what is known of a group while its records pass by.
type groupCheck struct {
	GroupRecords
	version uint64
	head    head
	epoch   uint64 // the present one
	deleted bool
	// headless tells that the head cannot be read. Then only what needs none is
	// checked.
	headless bool

	links, joins, listed, nonces, expiries uint64
	access                                 uint8 // places of requests
	roster                                 struct {
		generation uint64
		next       uint32
	}
}

func (g *groupCheck) readHead(problem func(kind, problem string)) error {
	b, err := g.Get([]byte{keyHead})
	if err != nil {
		return err
	}
	if b == nil {
		problem(recordKinds[keyHead].name, "missing")
	}
	if b == nil || mls.Unmarshal(b, &g.head) != nil { // the latter is found when it passes by
		g.headless, g.epoch, g.head = true, math.MaxUint64, head{generation: math.MaxUint32}
		return nil
	}
	if n := len(g.head.wraps); n > 0 {
		g.epoch = g.head.wraps[n-1].epoch
	} else if g.head.header == 0 && g.head.generation == 0 {
		g.deleted = true
		return nil
	}
	header, err := g.Get([]byte{keyHeader})
	if err == nil && header == nil {
		problem(recordKinds[keyHeader].name, "missing")
	}
	return err
}

// compare reports what was counted and does not agree.
func (g *groupCheck) compare(problem func(kind, problem string)) {
	if g.links != uint64(g.head.generation) && !g.headless {
		problem(recordKinds[keyLink].name, "not one for each generation")
	}
	if g.joins > g.listed {
		problem(recordKinds[keyJoin].name, "in no list")
	}
	if g.access != g.head.access && !g.headless {
		problem(recordKinds[keyAccess].name, "not those that the head names")
	}
	// An answer whose expiry was sealed under another key of the service stays.
	if g.expiries > g.nonces {
		problem(recordKinds[keyNonce].name, "fewer than expire")
	}
}

// recordKind says what a record of one kind looks like: its name in a report,
// the size of its key, and what is wrong with one, "" if nothing. The key is
// without its first octet.
type recordKind struct {
	name  string
	key   int
	check func(g *groupCheck, key, value []byte) (problem string, err error)
}

// Sizes of keys and of what is in records, in octets.
const (
	nameKey     = 1 + nameSize
	number32Key = 1 + 4
	number64Key = 1 + 8
	staleSize   = 4 + 8 // of a node and its version
	saltSize    = 16    // before what is sealed under the service's key
	tagSize     = 16    // behind it
)

// recordKinds has all kinds of records. It is filled by init, as the checks of
// some look up others.
var recordKinds map[byte]recordKind

func init() {
	recordKinds = map[byte]recordKind{
		keyHead:     {"head", 1, checkHead},
		keyHeader:   {"header", 1, checkHeader},
		keyLink:     {"link", number32Key, checkLink},
		keyNode:     {"node", nodePrefix + 8, checkNode},
		keyStale:    {"stale versions", number64Key, checkStale},
		keyPublic:   {"public key", nameKey, checkPublic},
		keyProposal: {"proposal", nameKey, checkSealed},
		keyRetained: {"retained epoch", number64Key, checkOfEpoch},
		keyMembers:  {"page of members", number32Key, checkSealed},
		keyUser:     {"user", nameKey, checkSealed},
		keyJoin:     {"joiner", nameKey, checkJoin},
		keyJoins:    {"list of joiners", number64Key, checkJoins},
		keyRoster:   {"roster part", number64Key + 4, checkRoster},
		keyOutcome:  {"outcome", number64Key, checkOfEpoch},
		keyAccess:   {"access request", len(accessKey(0)), checkAccess},
		keyActivity: {"activity", 1, checkSealed},
		keyNonce:    {"answer", nameKey, checkNonce},
		keyExpiry:   {"expiry", number64Key, checkExpiry},
	}
}

const (
	undecodable = "does not decode"
	ahead       = "ahead of the group"
	impossible  = "no sealed record"
)

func checkHead(g *groupCheck, _, value []byte) (string, error) {
	var h head
	if mls.Unmarshal(value, &h) != nil {
		return undecodable, nil
	}
	if h.header > g.version {
		return ahead, nil
	}
	if g.deleted {
		return "", nil
	}
	if len(h.wraps) == 0 || len(h.wraps) > maxWraps {
		return "number of wrapped keys", nil
	}
	for i, w := range h.wraps {
		if len(w.sealed) != atrest.WrapSize || i > 0 && w.epoch <= h.wraps[i-1].epoch {
			return "wrapped keys", nil
		}
	}
	return "", nil
}

func checkSealed(g *groupCheck, _, value []byte) (string, error) {
	generation, err := atrest.CheckSealed(value)
	if err != nil {
		return impossible, nil
	}
	if generation > g.head.generation {
		return ahead, nil
	}
	return "", nil
}

// checkHeader: a generation begins with a new header.
func checkHeader(g *groupCheck, key, value []byte) (string, error) {
	if generation, err := atrest.CheckSealed(value); err == nil && generation < g.head.generation && !g.headless {
		return "of an earlier generation", nil
	}
	return checkSealed(g, key, value)
}

func checkLink(g *groupCheck, key, value []byte) (string, error) {
	g.links++
	n := atrest.Generation(binary.BigEndian.Uint32(key))
	if n > g.head.generation {
		return ahead, nil
	}
	if atrest.CheckLink(n, value) != nil {
		return impossible, nil
	}
	return "", nil
}

func checkNode(g *groupCheck, key, value []byte) (string, error) {
	if ^binary.BigEndian.Uint64(key[4:]) > g.epoch {
		return ahead, nil
	}
	return checkSealed(g, nil, value)
}

func checkOfEpoch(g *groupCheck, key, value []byte) (string, error) {
	if binary.BigEndian.Uint64(key) > g.epoch {
		return ahead, nil
	}
	return checkSealed(g, nil, value)
}

// checkStale: what is listed may be gone, as the record that hides a deleted
// node is listed by the epoch that wrote it and by the one that replaced it.
func checkStale(g *groupCheck, key, value []byte) (string, error) {
	epoch := binary.BigEndian.Uint64(key)
	if epoch > g.epoch {
		return ahead, nil
	}
	if len(value) == 0 || len(value)%staleSize != 0 {
		return undecodable, nil
	}
	for ; len(value) > 0; value = value[staleSize:] {
		if binary.BigEndian.Uint64(value[4:]) > epoch {
			return "lists a later version", nil
		}
	}
	return "", nil
}

func checkPublic(_ *groupCheck, _, value []byte) (string, error) {
	if len(value) != 0 {
		return undecodable, nil
	}
	return "", nil
}

func checkJoin(g *groupCheck, _, value []byte) (string, error) {
	g.joins++
	var j join
	if mls.Unmarshal(value, &j) != nil || len(j.wrapped) != atrest.WrapSize {
		return undecodable, nil
	}
	generation, err := atrest.CheckSealed(j.sealed)
	if err != nil || generation != j.generation {
		return impossible, nil
	}
	if j.epoch > g.epoch || j.generation > g.head.generation {
		return ahead, nil
	}
	return "", nil
}

func checkJoins(g *groupCheck, key, value []byte) (problem string, err error) {
	if len(value) == 0 || len(value)%nameKey != 0 {
		return undecodable, nil
	}
	for ; len(value) > 0; value = value[nameKey:] {
		if value[0] != keyJoin {
			return undecodable, nil
		}
		b, err := g.Get(value[:nameKey])
		if err != nil {
			return "", err
		}
		if b == nil {
			problem = "lists a joiner that is missing"
			continue
		}
		g.listed++
	}
	if binary.BigEndian.Uint64(key) > g.epoch {
		return ahead, nil
	}
	return problem, nil
}

// checkRoster: the parts of a generation pass by in order.
func checkRoster(g *groupCheck, key, value []byte) (string, error) {
	generation, part := binary.BigEndian.Uint64(key), binary.BigEndian.Uint32(key[8:])
	if g.roster.next == 0 || generation != g.roster.generation {
		g.roster.generation, g.roster.next = generation, 0
	}
	gap := part != g.roster.next
	g.roster.next = part + 1
	if gap || part >= maxRosterParts {
		return "not the next of its generation", nil
	}
	return checkSealed(g, nil, value)
}

func checkAccess(g *groupCheck, key, value []byte) (string, error) {
	if key[0] >= maxAccess || len(value) < saltSize+tagSize {
		return impossible, nil
	}
	g.access |= 1 << key[0]
	return "", nil
}

func checkNonce(g *groupCheck, _, value []byte) (string, error) {
	g.nonces++
	if len(value) < tagSize {
		return impossible, nil
	}
	return "", nil
}

func checkExpiry(g *groupCheck, key, value []byte) (string, error) {
	g.expiries++
	if v := binary.BigEndian.Uint64(key); v == 0 || v > g.version {
		return ahead, nil
	}
	if len(value) != saltSize+nameKey+8+tagSize {
		return impossible, nil
	}
	return "", nil
}
