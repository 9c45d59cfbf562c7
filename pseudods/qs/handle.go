package qs

import (
	"context"
	"crypto/ed25519"
	"errors"
	"iter"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Handle answers a client's request, of any operation but a delivery. The digest
// is [wire.Digest] of the request as it came. It checks recipient, expiry,
// signature, nonce and payment, in this order, before it does anything.
//
// Every error is a [wire.Error]. What does not exist answers like what the
// signer may not do.
func (s *Service) Handle(ctx context.Context, r *wire.Request, digest [32]byte) ([]byte, error) {
	body, err := s.handle(ctx, r, digest)
	if err != nil {
		return nil, refusal(err)
	}
	return body, nil
}

// operation is how a request is answered.
type operation struct {
	// body returns a new empty body.
	body func() mls.Unmarshaler
	// key returns the key that must have signed; nil for a request that nobody
	// signs.
	key func(ctx context.Context, s *Service, body any) ([32]byte, error)
	// priced reports whether the request, which brings some number of tokens,
	// is to be paid; nil for no.
	priced func(ctx context.Context, s *Service, body any, tokens int) (bool, error)
	// once refuses also an identical retry, which other operations take.
	once bool
	do   func(ctx context.Context, s *Service, body any, digest [32]byte) (mls.Marshaler, error)
}

func (s *Service) handle(ctx context.Context, r *wire.Request, digest [32]byte) ([]byte, error) {
	op, body, err := s.admit(ctx, r, digest)
	if err != nil {
		return nil, err
	}
	answer, err := op.do(ctx, s, body, digest)
	if err != nil || answer == nil {
		return nil, err
	}
	return mls.Marshal(answer)
}

// HandleStream answers a request to read a queue by the encoded pages that
// [Service.Stream] has from it on. How many entries the request wants and how long
// it would wait is not heeded. The last may be an error, which is a [wire.Error].
func (s *Service) HandleStream(ctx context.Context, r *wire.Request, digest [32]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if r.Operation != wire.OpReadQueue {
			yield(nil, &wire.Error{Code: wire.CodeMalformed})
			return
		}
		_, body, err := s.admit(ctx, r, digest)
		if err != nil {
			yield(nil, refusal(err))
			return
		}
		q := body.(*wire.ReadQueue)
		for page, err := range s.Stream(ctx, q.Queue, q.After) {
			var encoded []byte
			if err == nil {
				encoded, err = mls.Marshal(page)
			}
			if err != nil {
				yield(nil, refusal(err))
				return
			}
			if !yield(encoded, nil) {
				return
			}
		}
	}
}

// admit does what comes before an operation, and returns it with its body.
func (s *Service) admit(ctx context.Context, r *wire.Request, digest [32]byte) (*operation, any, error) {
	if r.RecipientDomain != s.cfg.Domain {
		return nil, nil, &wire.Error{Code: wire.CodeWrongRecipient}
	}
	now := s.cfg.Now()
	if seconds := uint64(now.Unix()); r.ExpiresAt < seconds || r.ExpiresAt > seconds+uint64(s.cfg.MaxAhead/time.Second) {
		return nil, nil, &wire.Error{Code: wire.CodeStale}
	}
	op, ok := operations[r.Operation]
	if !ok || !r.GroupStateKey.IsZero() {
		return nil, nil, &wire.Error{Code: wire.CodeMalformed}
	}
	body := op.body()
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: 1 << 20, MaxElements: 2 * MaxPage, MaxDepth: 4}, r.Body, body); err != nil {
		return nil, nil, err
	}
	if err := s.authenticate(ctx, &op, r, body, digest, now); err != nil {
		return nil, nil, err
	}
	return &op, body, s.collect(ctx, &op, r, body, digest)
}

// authenticate checks signature and nonce.
func (s *Service) authenticate(ctx context.Context, op *operation, r *wire.Request, body any, digest [32]byte, now time.Time) error {
	if op.key == nil {
		if r.Auth.Type != wire.AuthNone {
			return &wire.Error{Code: wire.CodeMalformed}
		}
		return nil
	}
	if r.Auth.Type != wire.AuthQueue {
		return ErrNotFound
	}
	key, err := op.key(ctx, s, body)
	if err != nil {
		return err
	}
	if err := verify(key[:], r); err != nil {
		return err
	}
	return s.nonces.use(r.Nonce, digest, !op.once, now)
}

// verify checks the signature of a request by an Ed25519 key.
func verify(key ed25519.PublicKey, r *wire.Request) error {
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return err
	}
	tbs, err := r.TBS()
	if err != nil {
		return err
	}
	if suite.VerifyWithLabel(key, wire.SignatureLabel, tbs, r.Auth.Signature) != nil {
		return ErrNotFound
	}
	return nil
}

// collect takes the payment. Tokens for what costs nothing are refused, so that
// nobody throws any away.
func (s *Service) collect(ctx context.Context, op *operation, r *wire.Request, body any, digest [32]byte) error {
	priced := false
	if op.priced != nil {
		var err error
		if priced, err = op.priced(ctx, s, body, len(r.Tokens)); err != nil {
			return err
		}
	}
	if priced {
		return s.cfg.Payments.Pay(ctx, r.Operation, r.Tokens, digest)
	}
	if len(r.Tokens) > 0 {
		return &wire.Error{Code: wire.CodeTokenInvalid}
	}
	return nil
}

// refusal maps an error to what the client is told.
func refusal(err error) *wire.Error {
	var refused *wire.Error
	if errors.As(err, &refused) {
		return refused
	}
	for _, m := range []struct {
		err  error
		code wire.Code
	}{
		{wire.ErrMalformed, wire.CodeMalformed},
		{ErrKey, wire.CodeMalformed},
		{ErrKeyPackage, wire.CodeMalformed},
		{ErrBatch, wire.CodeMalformed},
		{ErrTicket, wire.CodeNotAllowed},
		{ErrNotFound, wire.CodeNotAllowed},
		{ErrReplaced, wire.CodeReplaced},
		{errReplayed, wire.CodeReplayed},
		{ErrExhausted, wire.CodeExhausted},
		{ErrSize, wire.CodeTooLarge},
		{ErrLimit, wire.CodeFull},
	} {
		if errors.Is(err, m.err) {
			return &wire.Error{Code: m.code}
		}
	}
	if errors.Is(err, ErrBusy) {
		return &wire.Error{Code: wire.CodeRateLimited, RetryAfter: 10}
	}
	return &wire.Error{Code: wire.CodeInternal}
}
