package group

import (
	"bytes"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// stateVersion is the first thing in a saved state. A change of the format gets
// another number, and Restore keeps reading the ones before.
const stateVersion = 1

// Marshal encodes the whole state of the group, the pending commit and all
// secrets included, but not the [Config]. It is linear in the number of members.
// Whoever reads the encoding can act as this client in the group.
func (g *Group) Marshal() (secret.Bytes, error) {
	nodes, err := g.Tree()
	if err != nil {
		return secret.Bytes{}, err
	}
	b, err := mls.Marshal(&savedState{g, nodes})
	return secret.New(b), err
}

// Restore decodes what [Group.Marshal] made. It trusts its content as far as
// signatures go: it verifies that the parts belong together, not that the
// members are who they say. It copies what it keeps of b. It fails with
// [ErrState].
func Restore(cfg Config, b []byte) (*Group, error) {
	s := &savedState{Group: &Group{cfg: cfg.withDefaults()}}
	// A state is as long as its tree is large, so its own length is the limit.
	l := mls.Limits{MaxBytes: max(len(b), 1), MaxElements: max(len(b), 1), MaxDepth: 8}
	if err := mls.UnmarshalWithin(l, bytes.Clone(b), s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return s.Group, nil
}

// savedState is a group with its tree.
type savedState struct {
	*Group
	nodes mls.RatchetTree
}

func (s *savedState) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(stateVersion)
	ctx := s.now.public.Context
	ctx.MarshalTLS(w)
	w.Opaque(s.InterimTranscriptHash())
	w.Opaque(s.now.tag)
	s.nodes.MarshalTLS(w)
	w.Uint8(uint8(s.ended))
	w.Bool(s.reInit != nil)
	if s.reInit != nil {
		s.reInit.MarshalTLS(w)
	}
	if s.ended != EndRemoved {
		s.now.marshal(w)
	}
	s.queue.marshal(w)
	w.Vector(func(w *tlscodec.Writer) {
		for _, p := range s.past {
			p.marshal(w)
		}
	})
	w.Vector(func(w *tlscodec.Writer) {
		for _, r := range s.resume {
			w.Uint64(r.epoch)
			w.Opaque(r.psk.Reveal())
		}
	})
	w.Bool(s.pathNext)
	w.Bool(s.pending != nil)
	if s.pending != nil {
		s.pending.marshal(w)
	}
}

func (s *savedState) UnmarshalTLS(r *tlscodec.Reader) {
	if v := r.Uint16(); r.Err() == nil && v != stateVersion {
		r.Fail(fmt.Errorf("%w: state version %d", tlscodec.ErrValue, v))
	}
	var ctx mls.GroupContext
	ctx.UnmarshalTLS(r)
	interim := r.Opaque()
	s.now.tag = r.Opaque()
	s.nodes.UnmarshalTLS(r)
	if r.Err() != nil {
		return
	}
	if err := s.build(ctx, interim); err != nil {
		r.Fail(err)
		return
	}
	s.ended = End(r.Uint8())
	if r.Bool() {
		s.reInit = new(mls.ReInit)
		s.reInit.UnmarshalTLS(r)
	}
	if s.ended > EndReInit || (s.ended == EndReInit) != (s.reInit != nil) {
		r.Fail(fmt.Errorf("%w: end of the group", tlscodec.ErrValue))
	}
	if s.ended != EndRemoved {
		s.now.unmarshal(r)
		s.now.checkOwn(r)
	}
	s.queue.unmarshal(r, s.suite)
	r.Vector(func(r *tlscodec.Reader) {
		p := new(pastEpoch)
		p.unmarshal(r, s.suite)
		s.past = append(s.past, p)
	})
	r.Vector(func(r *tlscodec.Reader) {
		s.resume = append(s.resume, resumption{r.Uint64(), takeHashSized(r, s.suite)})
	})
	s.pathNext = r.Bool()
	if r.Bool() {
		s.pending = new(pending)
		s.pending.unmarshal(r, s.Group)
	}
	if s.ended != EndNone && (s.pending != nil || len(s.queue.order) > 0) {
		r.Fail(fmt.Errorf("%w: proposals in a group that has ended", tlscodec.ErrValue))
	}
}

// build fills the store with the saved tree.
func (s *savedState) build(ctx mls.GroupContext, interim []byte) error {
	suite, err := ctx.CipherSuite.Suite()
	if err != nil {
		return err
	}
	changes, err := tree.Build(tree.ImportConfig{Suite: suite, Version: tree.Version(ctx.Epoch)}, s.nodes)
	if err != nil {
		return err
	}
	s.suite, s.store = suite, tree.NewMemory()
	s.now.public, err = epoch.NewState(tree.New(suite, s.store, changes.Version, changes.Header), ctx, interim)
	if err != nil {
		return err
	}
	return s.store.Apply(changes)
}

// takeSecret moves a secret out of the input, which is this package's own copy:
// what else is decoded from it stays in memory for longer than secrets may.
func takeSecret(r *tlscodec.Reader) secret.Bytes {
	b := r.Opaque()
	defer clear(b)
	return secret.Clone(b)
}

// takeSecrets does the same for a structure that copies what it decodes.
func takeSecrets(r *tlscodec.Reader, v mls.Unmarshaler) {
	b := r.Opaque()
	if r.Err() != nil {
		return
	}
	if err := mls.UnmarshalWithin(mls.Limits{MaxElements: max(len(b), 1)}, b, v); err != nil {
		r.Fail(err)
	}
	clear(b)
}

// takeHashSized moves out a secret of the suite's hash size.
func takeHashSized(r *tlscodec.Reader, s *mls.Suite) secret.Bytes {
	b := takeSecret(r)
	if r.Err() == nil && b.Len() != s.HashSize() {
		r.Fail(fmt.Errorf("%w: secret of a wrong size", tlscodec.ErrValue))
	}
	return b
}

func takeSignatureKey(r *tlscodec.Reader, s *mls.Suite) *mls.SignatureKey {
	b := takeSecret(r)
	if r.Err() != nil {
		return nil
	}
	k, err := s.ParseSignatureKey(b)
	if err != nil {
		r.Fail(err)
	}
	return k
}

// epochSecrets lists what is kept of an epoch's secrets, in the order of the
// encoding.
func epochSecrets(e *mls.EpochSecrets) []*secret.Bytes {
	return []*secret.Bytes{&e.SenderData, &e.Exporter, &e.External, &e.Membership, &e.Resumption, &e.EpochAuthenticator, &e.Init.Bytes}
}

// marshal encodes the secrets of an epoch; its public state stands elsewhere.
func (c *current) marshal(w *tlscodec.Writer) {
	w.Vector(c.private.MarshalTLS)
	w.Opaque(c.signer.Private().Reveal())
	for _, b := range epochSecrets(c.secrets) {
		w.Opaque(b.Reveal())
	}
	w.Vector(c.messages.MarshalTLS)
}

// unmarshal decodes them.
func (c *current) unmarshal(r *tlscodec.Reader) {
	s := c.public.Suite
	c.private, c.secrets, c.messages = new(tree.Private), new(mls.EpochSecrets), new(mls.SecretTree)
	takeSecrets(r, c.private)
	c.signer = takeSignatureKey(r, s)
	for _, b := range epochSecrets(c.secrets) {
		*b = takeHashSized(r, s)
	}
	takeSecrets(r, c.messages)
	if r.Err() == nil && (c.messages.Suite() != s || c.messages.Leaves() != c.public.Tree.Size()) {
		r.Fail(fmt.Errorf("%w: message keys of another tree", tlscodec.ErrValue))
	}
}

// checkOwn verifies that the private keys are those of a member's leaf.
func (c *current) checkOwn(r *tlscodec.Reader) {
	if r.Err() != nil {
		return
	}
	leaf, err := c.public.Leaf(c.private.Leaf())
	if err != nil {
		r.Fail(err)
		return
	}
	public, err := c.public.Suite.HPKEPublicKey(c.private.LeafKey())
	if err != nil || !bytes.Equal(public, leaf.EncryptionKey) || !bytes.Equal(c.signer.Public(), leaf.SignatureKey) {
		r.Fail(fmt.Errorf("%w: keys of another leaf", tlscodec.ErrValue))
	}
}
