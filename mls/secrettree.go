package mls

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// The errors of a ratchet asked for a key it does not give.
var (
	// ErrKeyUsed: the generation's key was used and deleted, or fell out of
	// the window. A replayed message ends here.
	ErrKeyUsed = errors.New("mls: message key is gone: replayed or too old")
	// ErrTooFarAhead: the generation lies beyond the forward window.
	ErrTooFarAhead = errors.New("mls: message generation too far ahead")
	// ErrNoSuchLeaf: the leaf lies outside the tree.
	ErrNoSuchLeaf = errors.New("mls: no such leaf")
	// ErrGenerations: a ratchet has used up its generations.
	ErrGenerations = errors.New("mls: message generations used up")
)

// Window bounds what a receiver keeps and derives for one sender and content
// type. The zero value means the defaults.
type Window struct {
	// Forward is how far ahead of the newest generation seen a message may be:
	// the number of derivations that one message can cause. Default 1000.
	Forward uint32
	// Backward is how many generations behind the newest one seen keys of
	// messages that have not arrived are kept. Default 128.
	Backward uint32
}

func (w Window) withDefaults() Window {
	if w.Forward == 0 {
		w.Forward = 1000
	}
	if w.Backward == 0 {
		w.Backward = 128
	}
	return w
}

// SecretTree gives out the message keys of one epoch (RFC 9420, Section 9).
// Secrets are derived when first needed and deleted as soon as what they lead
// to is derived, so that a key, once consumed, can not be had again. It is not
// safe for concurrent use.
type SecretTree struct {
	suite    *Suite
	leaves   uint32
	window   Window
	nodes    map[NodeIndex]secret.Bytes
	ratchets map[ratchetID]*ratchet
}

type ratchetID struct {
	leaf      LeafIndex
	handshake bool
}

// ratchet is one sender's symmetric ratchet (RFC 9420, Section 9.1). Of each
// generation below next, skipped holds the key or the key is gone.
type ratchet struct {
	secret  secret.Bytes // of generation next
	next    uint32
	skipped map[uint32]keyNonce
}

type keyNonce struct{ key, nonce secret.Bytes }

// NewSecretTree starts from an epoch's encryption secret. leaves is the size of
// the ratchet tree, a power of two.
func (s *Suite) NewSecretTree(encryption secret.Bytes, leaves uint32, w Window) *SecretTree {
	return &SecretTree{
		suite: s, leaves: leaves, window: w.withDefaults(),
		nodes:    map[NodeIndex]secret.Bytes{Root(leaves): secret.Clone(encryption.Reveal())},
		ratchets: map[ratchetID]*ratchet{},
	}
}

// Suite returns the suite whose keys t gives out.
func (t *SecretTree) Suite() *Suite { return t.suite }

// Leaves returns the size of the tree.
func (t *SecretTree) Leaves() uint32 { return t.leaves }

// nearest returns the lowest node above or at a leaf whose secret is held.
func (t *SecretTree) nearest(leaf LeafIndex) (NodeIndex, error) {
	x := leaf.Node()
	for t.nodes[x].IsZero() {
		if x == Root(t.leaves) {
			return 0, ErrKeyUsed
		}
		x = x.Parent()
	}
	return x, nil
}

// peek returns the ratchet of a leaf, as it would be if this is its first use.
// It changes nothing, since a message that turns out to be forged must not.
func (t *SecretTree) peek(id ratchetID) (*ratchet, error) {
	if uint32(id.leaf) >= t.leaves {
		return nil, fmt.Errorf("%w: %d", ErrNoSuchLeaf, id.leaf)
	}
	if r, ok := t.ratchets[id]; ok {
		return r, nil
	}
	x, err := t.nearest(id.leaf)
	if err != nil {
		return nil, err
	}
	target, sec := id.leaf.Node(), t.nodes[x]
	for x != target {
		side := "right"
		if target < x {
			side, x = "left", x.Left()
		} else {
			x = x.Right()
		}
		sec = t.suite.ExpandWithLabel(sec, "tree", []byte(side), t.suite.HashSize())
	}
	label := "application"
	if id.handshake {
		label = "handshake"
	}
	return &ratchet{secret: t.suite.ExpandWithLabel(sec, label, nil, t.suite.HashSize())}, nil
}

// open puts the ratchets of a leaf in the place of the secrets they are derived
// from, unless it was done before.
func (t *SecretTree) open(leaf LeafIndex) {
	if _, ok := t.ratchets[ratchetID{leaf, true}]; ok {
		return
	}
	target := leaf.Node()
	x, err := t.nearest(leaf)
	if err != nil {
		panic("mls: key consumed that was not looked up")
	}
	for x != target {
		sec := t.nodes[x]
		delete(t.nodes, x)
		t.nodes[x.Left()] = t.suite.ExpandWithLabel(sec, "tree", []byte("left"), t.suite.HashSize())
		t.nodes[x.Right()] = t.suite.ExpandWithLabel(sec, "tree", []byte("right"), t.suite.HashSize())
		sec.Wipe()
		if target < x {
			x = x.Left()
		} else {
			x = x.Right()
		}
	}
	sec := t.nodes[target]
	delete(t.nodes, target)
	hs := &ratchet{secret: t.suite.ExpandWithLabel(sec, "handshake", nil, t.suite.HashSize())}
	app := &ratchet{secret: t.suite.ExpandWithLabel(sec, "application", nil, t.suite.HashSize())}
	sec.Wipe()
	t.ratchets[ratchetID{leaf, true}], t.ratchets[ratchetID{leaf, false}] = hs, app
}

func (t *SecretTree) derive(sec secret.Bytes, generation uint32) (kn keyNonce, next secret.Bytes) {
	kn.key = t.suite.DeriveTreeSecret(sec, "key", generation, t.suite.keySize)
	kn.nonce = t.suite.DeriveTreeSecret(sec, "nonce", generation, nonceSize)
	return kn, t.suite.DeriveTreeSecret(sec, "secret", generation, t.suite.HashSize())
}

// MessageKey is the key of one message, looked up but not consumed yet: a
// message must prove authentic before it may use up a key, or else any member
// could make others lose messages of a third.
type MessageKey struct {
	Generation uint32
	Key, Nonce secret.Bytes

	id       ratchetID
	advanced *ratchet // the ratchet's next state, nil if the key was a skipped one
}

// Next looks up the key for the next message to send from leaf.
func (t *SecretTree) Next(leaf LeafIndex, ct ContentType) (*MessageKey, error) {
	r, err := t.peek(ratchetID{leaf, ct != ContentTypeApplication})
	if err != nil {
		return nil, err
	}
	return t.Lookup(leaf, ct, r.next)
}

// Lookup finds the key of a generation and changes nothing: the tree gives the
// same key again until [SecretTree.Consume]. It fails with [ErrKeyUsed],
// [ErrTooFarAhead], [ErrGenerations] or [ErrNoSuchLeaf].
func (t *SecretTree) Lookup(leaf LeafIndex, ct ContentType, generation uint32) (*MessageKey, error) {
	id := ratchetID{leaf, ct != ContentTypeApplication}
	r, err := t.peek(id)
	if err != nil {
		return nil, err
	}
	if generation < r.next {
		kn, ok := r.skipped[generation]
		if !ok {
			return nil, ErrKeyUsed
		}
		return &MessageKey{Generation: generation, Key: kn.key, Nonce: kn.nonce, id: id}, nil
	}
	if generation == 1<<32-1 {
		return nil, ErrGenerations
	}
	if generation-r.next > t.window.Forward {
		return nil, fmt.Errorf("%w: %d generations", ErrTooFarAhead, generation-r.next)
	}
	adv := &ratchet{secret: r.secret, next: r.next, skipped: map[uint32]keyNonce{}}
	oldest := uint32(0)
	if generation > t.window.Backward {
		oldest = generation - t.window.Backward
	}
	for g, kn := range r.skipped {
		if g >= oldest {
			adv.skipped[g] = kn
		}
	}
	for {
		kn, next := t.derive(adv.secret, adv.next)
		g := adv.next
		adv.secret, adv.next = next, g+1
		if g == generation {
			return &MessageKey{Generation: g, Key: kn.key, Nonce: kn.nonce, id: id, advanced: adv}, nil
		}
		if g >= oldest {
			adv.skipped[g] = kn
		}
	}
}

// Consume deletes the key and moves the ratchet past it. k must come from the
// last Lookup for its sender and content type.
func (t *SecretTree) Consume(k *MessageKey) {
	t.open(k.id.leaf)
	k.Key.Wipe()
	k.Nonce.Wipe()
	if k.advanced != nil {
		t.ratchets[k.id].secret.Wipe()
		t.ratchets[k.id] = k.advanced
		return
	}
	delete(t.ratchets[k.id].skipped, k.Generation)
}

// MarshalTLS encodes the whole tree, secrets included.
func (t *SecretTree) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(t.suite.id))
	w.Uint32(t.leaves)
	w.Uint32(t.window.Forward)
	w.Uint32(t.window.Backward)
	w.Vector(func(w *tlscodec.Writer) {
		for _, x := range slices.Sorted(maps.Keys(t.nodes)) {
			w.Uint32(uint32(x))
			w.Opaque(t.nodes[x].Reveal())
		}
	})
	ids := slices.SortedFunc(maps.Keys(t.ratchets), func(a, b ratchetID) int { return cmp.Compare(a.order(), b.order()) })
	w.Vector(func(w *tlscodec.Writer) {
		for _, id := range ids {
			r := t.ratchets[id]
			w.Uint32(uint32(id.leaf))
			w.Bool(id.handshake)
			w.Opaque(r.secret.Reveal())
			w.Uint32(r.next)
			w.Vector(func(w *tlscodec.Writer) {
				for _, g := range slices.Sorted(maps.Keys(r.skipped)) {
					w.Uint32(g)
					w.Opaque(r.skipped[g].key.Reveal())
					w.Opaque(r.skipped[g].nonce.Reveal())
				}
			})
		}
	})
}

func (id ratchetID) order() int64 {
	if id.handshake {
		return 2*int64(id.leaf) + 1
	}
	return 2 * int64(id.leaf)
}

// UnmarshalTLS decodes what MarshalTLS wrote. The secrets are copied.
func (t *SecretTree) UnmarshalTLS(r *tlscodec.Reader) {
	s, err := CipherSuite(r.Uint16()).Suite()
	if err != nil {
		r.Fail(fmt.Errorf("%w: cipher suite", tlscodec.ErrValue))
		return
	}
	*t = SecretTree{suite: s, leaves: r.Uint32(), window: Window{Forward: r.Uint32(), Backward: r.Uint32()},
		nodes: map[NodeIndex]secret.Bytes{}, ratchets: map[ratchetID]*ratchet{}}
	if t.leaves == 0 || t.leaves > MaxLeaves || t.leaves&(t.leaves-1) != 0 {
		r.Fail(fmt.Errorf("%w: number of leaves", tlscodec.ErrValue))
	}
	sized := func(n int) secret.Bytes {
		b := r.Opaque()
		if len(b) != n {
			r.Fail(fmt.Errorf("%w: secret of a wrong size", tlscodec.ErrValue))
		}
		return secret.Clone(b)
	}
	// Keys stand in ascending order, so that a state has one encoding.
	ascending := func(last *int64, v int64) {
		if v <= *last {
			r.Fail(fmt.Errorf("%w: order", tlscodec.ErrValue))
		}
		*last = v
	}
	lastNode, lastRatchet := int64(-1), int64(-1)
	r.Vector(func(r *tlscodec.Reader) {
		x := NodeIndex(r.Uint32())
		ascending(&lastNode, int64(x))
		t.nodes[x] = sized(s.HashSize())
	})
	r.Vector(func(r *tlscodec.Reader) {
		id := ratchetID{leaf: LeafIndex(r.Uint32()), handshake: r.Bool()}
		ascending(&lastRatchet, id.order())
		rt := &ratchet{secret: sized(s.HashSize()), next: r.Uint32(), skipped: map[uint32]keyNonce{}}
		lastGeneration := int64(-1)
		r.Vector(func(r *tlscodec.Reader) {
			g := r.Uint32()
			ascending(&lastGeneration, int64(g))
			rt.skipped[g] = keyNonce{key: sized(s.keySize), nonce: sized(nonceSize)}
		})
		t.ratchets[id] = rt
	})
	for id := range t.ratchets {
		if _, ok := t.ratchets[ratchetID{id.leaf, !id.handshake}]; !ok {
			r.Fail(fmt.Errorf("%w: one ratchet of two", tlscodec.ErrValue))
		}
	}
}
