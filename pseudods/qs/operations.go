package qs

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// empty is the body of a request or answer that has none.
type empty struct{}

func (empty) MarshalTLS(*tlscodec.Writer)   {}
func (empty) UnmarshalTLS(*tlscodec.Reader) {}

// octets is an answer that is encoded already.
type octets []byte

func (o octets) MarshalTLS(w *tlscodec.Writer) { w.Raw(o) }

// handler makes an operation of a function over its body.
func handler[T any, P interface {
	*T
	mls.Unmarshaler
}](do func(ctx context.Context, s *Service, body *T, digest [32]byte) (mls.Marshaler, error)) operation {
	return operation{
		body: func() mls.Unmarshaler { return P(new(T)) },
		do: func(ctx context.Context, s *Service, body any, digest [32]byte) (mls.Marshaler, error) {
			return do(ctx, s, (*T)(body.(P)), digest)
		},
	}
}

// byOwner has the request signed by the key that key returns.
func byOwner[T any](op operation, key func(ctx context.Context, s *Service, body *T) ([32]byte, error)) operation {
	op.key = func(ctx context.Context, s *Service, body any) ([32]byte, error) { return key(ctx, s, body.(*T)) }
	return op
}

// paid has the request cost tokens.
func paid(op operation) operation {
	op.priced = func(context.Context, *Service, any, int) (bool, error) { return true, nil }
	return op
}

func queueKey(ctx context.Context, s *Service, id wire.QueueID) ([32]byte, error) {
	q, err := s.cfg.Store.Queue(ctx, id)
	return q.OwnerKey, err
}

func poolKey(ctx context.Context, s *Service, id wire.PoolID) ([32]byte, error) {
	return s.cfg.Store.PoolKey(ctx, id)
}

func done(err error) (mls.Marshaler, error) { return empty{}, err }

var operations = map[wire.Operation]operation{
	wire.OpAddressKeys: handler(func(_ context.Context, s *Service, _ *empty, _ [32]byte) (mls.Marshaler, error) {
		keys := s.cfg.Keys.Published()
		return &keys, nil
	}),
	wire.OpCreateQueue: paid(byOwner(handler(func(ctx context.Context, s *Service, c *wire.CreateQueue, _ [32]byte) (mls.Marshaler, error) {
		return s.Create(ctx, c)
	}), func(_ context.Context, _ *Service, c *wire.CreateQueue) ([32]byte, error) { return c.OwnerKey, nil })),
	wire.OpConfigureQueue: byOwner(handler(func(ctx context.Context, s *Service, c *wire.ConfigureQueue, _ [32]byte) (mls.Marshaler, error) {
		return s.Configure(ctx, c)
	}), func(ctx context.Context, s *Service, c *wire.ConfigureQueue) ([32]byte, error) {
		return queueKey(ctx, s, c.Queue)
	}),
	wire.OpDeleteQueue: byOwner(handler(func(ctx context.Context, s *Service, d *wire.DeleteQueue, _ [32]byte) (mls.Marshaler, error) {
		return done(s.Delete(ctx, wire.QueueIDOf(d.OwnerKey[:])))
	}), func(_ context.Context, _ *Service, d *wire.DeleteQueue) ([32]byte, error) { return d.OwnerKey, nil }),
	wire.OpReadQueue: once(byOwner(handler(func(ctx context.Context, s *Service, q *wire.ReadQueue, _ [32]byte) (mls.Marshaler, error) {
		return s.Read(ctx, q.Queue, q.After, int(q.Max), time.Duration(q.Wait)*time.Second)
	}), func(ctx context.Context, s *Service, q *wire.ReadQueue) ([32]byte, error) {
		return queueKey(ctx, s, q.Queue)
	})),
	wire.OpAckQueue: byOwner(handler(func(ctx context.Context, s *Service, a *wire.AckQueue, _ [32]byte) (mls.Marshaler, error) {
		return done(s.Ack(ctx, a.Queue, a.Upto, a.Tickets))
	}), func(ctx context.Context, s *Service, a *wire.AckQueue) ([32]byte, error) {
		return queueKey(ctx, s, a.Queue)
	}),
	wire.OpRevokeAddress: byOwner(handler(func(ctx context.Context, s *Service, a *wire.RevokeAddress, _ [32]byte) (mls.Marshaler, error) {
		return done(s.Revoke(ctx, a.Queue, a.Address))
	}), func(ctx context.Context, s *Service, a *wire.RevokeAddress) ([32]byte, error) {
		return queueKey(ctx, s, a.Queue)
	}),
	wire.OpFetchPayloads: handler(func(ctx context.Context, s *Service, f *wire.FetchPayloads, _ [32]byte) (mls.Marshaler, error) {
		p, err := s.Fetch(ctx, f.Tickets)
		return &p, err
	}),
	wire.OpPublishKeyPackages: newPoolPaid(byOwner(handler(func(ctx context.Context, s *Service, p *wire.PublishKeyPackages, _ [32]byte) (mls.Marshaler, error) {
		return s.Publish(ctx, p)
	}), func(_ context.Context, _ *Service, p *wire.PublishKeyPackages) ([32]byte, error) {
		return p.PoolKey, nil
	})),
	wire.OpAllowContact: byOwner(handler(func(ctx context.Context, s *Service, a *wire.AllowContact, _ [32]byte) (mls.Marshaler, error) {
		return done(s.Allow(ctx, a))
	}), func(ctx context.Context, s *Service, a *wire.AllowContact) ([32]byte, error) {
		return poolKey(ctx, s, a.Pool)
	}),
	wire.OpDeletePool: byOwner(handler(func(ctx context.Context, s *Service, d *wire.DeletePool, _ [32]byte) (mls.Marshaler, error) {
		return done(s.DeletePool(ctx, wire.PoolIDOf(d.PoolKey[:])))
	}), func(_ context.Context, _ *Service, d *wire.DeletePool) ([32]byte, error) { return d.PoolKey, nil }),
	wire.OpConnectionPackages: paid(handler(func(ctx context.Context, s *Service, f *wire.FetchKeyPackage, digest [32]byte) (mls.Marshaler, error) {
		k, err := s.Take(ctx, wire.PoolConnection, f, digest)
		return octets(k), err
	})),
	wire.OpGroupPackages: paid(handler(func(ctx context.Context, s *Service, f *wire.FetchKeyPackage, digest [32]byte) (mls.Marshaler, error) {
		k, err := s.Take(ctx, wire.PoolGroup, f, digest)
		return octets(k), err
	})),
	wire.OpConnectionRequest: paid(handler(func(ctx context.Context, s *Service, c *wire.ConnectionRequest, digest [32]byte) (mls.Marshaler, error) {
		return done(s.Offer(ctx, c, digest))
	})),
}

// once refuses an identical request also: repeating a read would push its sender
// aside.
func once(op operation) operation {
	op.once = true
	return op
}

// newPoolPaid has the request cost tokens if it is the first for its pool. Also
// one that brings tokens is paid with them: it may be the first one's retry, for
// which they are spent already.
func newPoolPaid(op operation) operation {
	op.priced = func(ctx context.Context, s *Service, body any, tokens int) (bool, error) {
		p := body.(*wire.PublishKeyPackages)
		if tokens > 0 {
			return true, nil
		}
		_, err := s.cfg.Store.PoolKey(ctx, wire.PoolIDOf(p.PoolKey[:]))
		if errors.Is(err, ErrNotFound) {
			return true, nil
		}
		return false, err
	}
	return op
}
