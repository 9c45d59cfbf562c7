package ds

import (
	"context"
	"crypto/hmac"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Service is a delivery service. It is safe for concurrent use, and several may
// share a store.
type Service struct {
	cfg     Config
	limiter *limiter
	// busy has one lock for some of the groups, so that requests of one group
	// rarely start over. What is right does not depend on it.
	busy [256]sync.Mutex
	// hand gives the dispatcher what was just made durable.
	hand hand
	// young says of groups before when none of their answers expires.
	young young
}

// New returns a service, or an error if the configuration makes no sense.
func New(cfg Config) (*Service, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, limiter: newLimiter()}, nil
}

// request is a request on its way through the checks.
type request struct {
	*wire.Request
	service *Service
	digest  [32]byte
	now     time.Time
	body    body
	group   *session
	public  *publicgroup.Group // nil if the operation does not open the group
	policy  wire.GroupPolicy   // as public
	payment Payment
	// signer is the leaf that signed, for [wire.AuthLeaf].
	signer *mls.LeafNode
	staged *publicgroup.StagedCommit // if the request is a commit
	tends  bool                      // the service's own doing after the request
	// retained are its messages, if they are to be kept.
	retained []Retained
	// report is what it proves, for [Config.Reports].
	report *Report
}

type body interface {
	mls.Unmarshaler
	mls.Marshaler
}

// operation says how a request is answered.
type operation struct {
	// auth is who must sign, or any of them.
	auth []wire.AuthType
	body func() body
	// id returns the group that a body names.
	id func(body) wire.GroupID
	// changes tells that the operation changes its group. It then has a nonce
	// that is used up, and counts for the limits.
	changes bool
	// opens tells that the group state key must open the group first.
	opens bool
	// unchecked tells that the signature is checked later, when somebody brings a
	// key that opens the group.
	unchecked bool
	// signer returns the key that must have signed for [wire.AuthJoiner].
	signer func(*request) ([]byte, error)
	do     func(*request) (mls.Marshaler, error)
}

// Handle answers an encoded request with an encoded response. It checks, in this
// order: size, encoding, version, recipient, expiry, who may ask, tokens, nonce,
// that the group state key opens the group, signature, limits, and then what the
// operation asks for. Tokens are spent last, before the group, the answer and the
// messages that follow from the request become durable in one step.
//
// An identical request gets the same answer until it expires. What does not
// exist, what the key does not open, and what the signer may not do, answer
// alike. A refused request changes nothing, but for tokens that were bound to it
// when another request changed the group at the same time.
func (s *Service) Handle(ctx context.Context, encoded []byte) []byte {
	response := wire.Response{}
	answer, err := s.handle(ctx, encoded)
	if err != nil {
		response.Err = refusal(err)
	} else {
		response.Body = answer
	}
	b, err := mls.Marshal(&response)
	if err != nil {
		panic("ds: response has no encoding")
	}
	return b
}

var notAllowed = &wire.Error{Code: wire.CodeNotAllowed}

// maxAttempts is how often a request starts over because its group changed.
const maxAttempts = 16

func (s *Service) handle(ctx context.Context, encoded []byte) ([]byte, error) {
	if len(encoded) > s.cfg.MaxRequest {
		return nil, &wire.Error{Code: wire.CodeTooLarge}
	}
	w, err := wire.ParseRequest(encoded, s.cfg.MaxRequest)
	if err != nil {
		return nil, err
	}
	now := s.cfg.Now()
	seconds := uint64(now.Unix())
	switch {
	case w.RecipientDomain != s.cfg.Domain:
		return nil, &wire.Error{Code: wire.CodeWrongRecipient}
	case w.ExpiresAt < seconds || w.ExpiresAt > seconds+uint64(s.cfg.MaxAhead/time.Second):
		return nil, &wire.Error{Code: wire.CodeStale}
	}
	op, ok := operations[w.Operation]
	if !ok || !slices.Contains(op.auth, w.Auth.Type) {
		return nil, notAllowed
	}
	r := &request{Request: w, service: s, digest: wire.Digest(encoded), now: now, body: op.body()}
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: s.cfg.MaxRequest, MaxElements: 1 << 14, MaxDepth: 4}, w.Body, r.body); err != nil {
		return nil, err
	}
	if r.payment, err = s.cfg.Payments.Verify(w.Operation, w.Tokens); err != nil {
		return nil, err
	}
	if op.id == nil {
		if err := r.spend(ctx); err != nil {
			return nil, err
		}
		answer, err := op.do(r)
		if err != nil {
			return nil, err
		}
		return mls.Marshal(answer)
	}
	id := op.id(r.body)
	if op.changes {
		lock := &s.busy[id[0]]
		lock.Lock()
		defer lock.Unlock()
	}
	for range maxAttempts {
		answer, err := s.attempt(ctx, r, &op, id)
		if errors.Is(err, ErrConflict) {
			continue
		}
		switch {
		case err != nil:
		case w.Operation == wire.OpDeleteGroup:
			err = s.bury(ctx, id, w.Nonce)
		case op.opens && op.changes:
			s.tend(ctx, r)
		}
		return answer, err
	}
	return nil, &wire.Error{Code: wire.CodeRateLimited, RetryAfter: 1}
}

func (r *request) spend(ctx context.Context) error {
	if r.payment == nil {
		return nil
	}
	return r.payment.Spend(ctx, r.digest)
}

// attempt does the request at the group's present version.
func (s *Service) attempt(ctx context.Context, r *request, op *operation, id wire.GroupID) ([]byte, error) {
	var err error
	r.staged, r.retained = nil, nil
	if r.group, err = newSession(ctx, s.cfg.Store, s.cfg.Rand, id, r.ahead(op)...); err != nil {
		return nil, err
	}
	g := r.group
	if op.changes {
		if answer, ok, err := g.answered(r.Nonce, r.digest); ok || err != nil {
			return answer, err
		}
	}
	if op.opens {
		if err := r.open(r.GroupStateKey); err != nil {
			return nil, err
		}
	}
	if !op.unchecked {
		if err := r.authenticate(op); err != nil {
			return nil, err
		}
	}
	reply, err := r.carryOut(op)
	if err != nil {
		return nil, err
	}
	answer, err := mls.Marshal(reply)
	if err != nil {
		return nil, err
	}
	if !op.changes || g.void {
		if err := r.spend(ctx); err != nil {
			return nil, err
		}
		return answer, r.handIn(ctx)
	}
	if err := s.remember(g, r.Request, r.digest, answer); err != nil {
		return nil, err
	}
	batch, err := g.batch()
	if err != nil {
		return nil, err
	}
	if err := r.retain(ctx); err != nil {
		return nil, err
	}
	if err := r.spend(ctx); err != nil {
		return nil, err
	}
	return answer, s.commit(ctx, g, batch)
}

// ahead is what a request looks up of its group before anything can be refused.
func (r *request) ahead(op *operation) (all []Lookup) {
	if op.changes {
		all = append(all, Lookup{Key: nonceKey(r.Nonce)})
	}
	if op.opens {
		all = append(all, Lookup{Key: []byte{keyHeader}}, Lookup{Key: []byte{keyActivity}})
		if r.Auth.Type == wire.AuthLeaf {
			all = append(all, newest(r.Auth.Leaf.Node()))
		}
	}
	return all
}

// open opens the group with a group state key.
func (r *request) open(key secret.Bytes) error {
	g := r.group
	err := g.open(key)
	if err != nil {
		return err
	}
	if r.policy, err = wire.PolicyOf(g.header.group.Context.Extensions); err != nil {
		return errors.Join(errStore, err)
	}
	if !r.service.cfg.serves(r.policy.Profile) {
		return notAllowed
	}
	g.profile = r.policy.Profile
	r.public, err = publicgroup.Open(treeStore{g}, r.service.cfg.group(&r.policy))
	return err
}

// carryOut does what the request asks for, and what waited for a request with a
// key.
func (r *request) carryOut(op *operation) (mls.Marshaler, error) {
	if !op.opens || !op.changes {
		return op.do(r)
	}
	if err := r.absorb(); err != nil {
		return nil, err
	}
	if err := r.sweep(); err != nil {
		return nil, err
	}
	reply, err := op.do(r)
	if err != nil || r.Auth.Type != wire.AuthLeaf || r.Operation == wire.OpDeleteGroup {
		return reply, err
	}
	if err := r.mark(r.Auth.Leaf, r.day()); err != nil {
		return nil, err
	}
	if a, ok := reply.(*wire.Accepted); ok {
		err = r.handOut(a)
	}
	return reply, err
}

// commit makes a batch durable and tells that its messages wait.
func (s *Service) commit(ctx context.Context, g *session, b *Batch) error {
	if err := s.cfg.Store.Commit(ctx, g.id, b); err != nil {
		return err
	}
	if s.cfg.Wake != nil && len(b.Messages) > 0 {
		refs := make([]Ref, len(b.Messages))
		for i, m := range b.Messages {
			refs[i] = Ref{g.id, m.Lane}
			s.hand.put(place{refs[i], g.sequence + 1}, g.parcels[i])
		}
		s.cfg.Wake(refs)
	}
	return nil
}

// newGroupID draws a group identifier that this service accepts in a request to
// create a group: it ends in a MAC, so that nothing has to be stored, and nobody
// can take an identifier that was not given out.
func (s *Service) newGroupID() (id wire.GroupID, err error) {
	if _, err := io.ReadFull(s.cfg.Rand, id[:16]); err != nil {
		return id, err
	}
	copy(id[16:], s.derive("group", id[:16]))
	return id, nil
}

func (s *Service) ownGroupID(id wire.GroupID) bool {
	return hmac.Equal(id[16:], s.derive("group", id[:16])[:16])
}
