package server

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// maxQueueRequest is the longest request to a queue service in octets: a delivery
// to as many recipients as one may have.
const maxQueueRequest = 4 << 20

// queueService answers encoded requests with a queue service: those of clients,
// and deliveries, for which it finds out whose they are.
type queueService struct {
	*qs.Service
	domain   string
	maxAhead time.Duration
	senders  *senders
}

var _ httpapi.Streamer = (*queueService)(nil)
var _ httpapi.Service = (*queueService)(nil)

// Handle implements httpapi.Service.
func (s *queueService) Handle(ctx context.Context, encoded []byte) []byte {
	return respond(s.answer(ctx, encoded))
}

// respond encodes an answer, or a refusal.
func respond(body []byte, err error) []byte {
	r := wire.Response{Body: body}
	if err != nil {
		refused := new(wire.Error)
		if !errors.As(err, &refused) {
			refused = &wire.Error{Code: wire.CodeInternal}
		}
		r = wire.Response{Err: refused}
	}
	b, err := mls.Marshal(&r)
	if err != nil {
		b, err = mls.Marshal(&wire.Response{Err: &wire.Error{Code: wire.CodeInternal}})
	}
	if err != nil {
		panic("server: a refusal has no encoding")
	}
	return b
}

func (s *queueService) answer(ctx context.Context, encoded []byte) ([]byte, error) {
	r, err := parseQueueRequest(encoded)
	if err != nil {
		return nil, err
	}
	if r.Operation == wire.OpDeliver {
		return s.deliver(ctx, r)
	}
	return s.Service.Handle(ctx, r, wire.Digest(encoded))
}

func parseQueueRequest(encoded []byte) (*wire.Request, error) {
	if len(encoded) > maxQueueRequest {
		return nil, &wire.Error{Code: wire.CodeTooLarge}
	}
	r, err := wire.ParseRequest(encoded, maxQueueRequest)
	switch {
	case errors.Is(err, wire.ErrVersion):
		return nil, &wire.Error{Code: wire.CodeUnsupportedVersion}
	case err != nil:
		return nil, &wire.Error{Code: wire.CodeMalformed}
	}
	return r, nil
}

// Stream implements httpapi.Streamer.
func (s *queueService) Stream(ctx context.Context, encoded []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		r, err := parseQueueRequest(encoded)
		if err != nil {
			yield(respond(nil, err))
			return
		}
		for body, err := range s.HandleStream(ctx, r, wire.Digest(encoded)) {
			if !yield(respond(body, err)) {
				return
			}
		}
	}
}

// deliver takes a delivery of another service. Repeating one changes nothing,
// since deliveries are numbered.
func (s *queueService) deliver(ctx context.Context, r *wire.Request) ([]byte, error) {
	now := time.Now()
	switch seconds := uint64(now.Unix()); {
	case r.RecipientDomain != s.domain:
		return nil, &wire.Error{Code: wire.CodeWrongRecipient}
	case r.ExpiresAt < seconds || r.ExpiresAt > seconds+uint64(s.maxAhead/time.Second):
		return nil, &wire.Error{Code: wire.CodeStale}
	case !r.GroupStateKey.IsZero() || len(r.Tokens) > 0:
		return nil, &wire.Error{Code: wire.CodeMalformed}
	case r.Auth.Type != wire.AuthService:
		return nil, &wire.Error{Code: wire.CodeNotAllowed}
	}
	domains, err := s.senders.authenticate(ctx, r)
	if err != nil {
		return nil, err
	}
	var d wire.Delivery
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: maxQueueRequest, MaxElements: qs.MaxRecipients + 1, MaxDepth: 4}, r.Body, &d); err != nil {
		return nil, &wire.Error{Code: wire.CodeMalformed}
	}
	report, err := s.deliverFrom(ctx, domains, &d)
	if errors.Is(err, qs.ErrSize) {
		return nil, &wire.Error{Code: wire.CodeTooLarge}
	}
	if err != nil {
		return nil, err
	}
	return mls.Marshal(&report)
}

// deliverFrom delivers for each recipient from the first of the domains that its
// address opens for.
func (s *queueService) deliverFrom(ctx context.Context, domains []string, d *wire.Delivery) (wire.DeliveryReport, error) {
	report, err := s.Deliver(ctx, domains[0], d)
	for _, domain := range domains[1:] {
		if err != nil {
			return nil, err
		}
		var at []int
		rest := wire.Delivery{Payload: d.Payload}
		for i, o := range report {
			if o == wire.UnknownAddress {
				at, rest.Recipients = append(at, i), append(rest.Recipients, d.Recipients[i])
			}
		}
		if len(at) == 0 {
			break
		}
		var more wire.DeliveryReport
		if more, err = s.Deliver(ctx, domain, &rest); err == nil {
			for j, i := range at {
				report[i] = more[j]
			}
		}
	}
	return report, err
}

// senders are the delivery services whose deliveries are taken: the own one, and
// those whose provider documents name the key. A key of the own one is nobody
// else's. One that several others name is of all of them: who names another's must
// not have that one's recipients count as unknown.
type senders struct {
	domain string
	own    [][]byte // keys of the own delivery service, if it runs here
	peers  map[string]*peer
	names  []string // of the peers, in order
}

// authenticate returns the domains of the services that the key of the request's
// signature may be of, at least one.
func (s *senders) authenticate(ctx context.Context, r *wire.Request) ([]string, error) {
	if key := named(s.own, r.Auth.KeyID); key != nil {
		return []string{s.domain}, verifyService(key, r)
	}
	// At first no document is waited for: who is known does not wait for who is not.
	if domains, key := s.known(r.Auth.KeyID); key != nil {
		for _, name := range s.names {
			if p := s.peers[name]; p.cached.Load() == nil {
				p.refresh()
			} else if slices.Contains(domains, name) {
				p.document(ctx, documentAge)
			}
		}
		if domains, key = s.known(r.Auth.KeyID); key != nil {
			return domains, verifyService(key, r)
		}
	}
	// The key may be newer than the documents. None waits for another's.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := make(chan struct{}, len(s.names))
	for _, name := range s.names {
		go func() {
			s.peers[name].document(ctx, documentRetry)
			asked <- struct{}{}
		}()
	}
	for range s.names {
		<-asked
		if domains, key := s.known(r.Auth.KeyID); key != nil {
			return domains, verifyService(key, r)
		}
	}
	return nil, &wire.Error{Code: wire.CodeNotAllowed}
}

// known returns the peers whose last documents name the key of an identifier, and
// the key, or nil.
func (s *senders) known(id []byte) (domains []string, key []byte) {
	for _, name := range s.names {
		if doc := s.peers[name].cached.Load(); doc != nil {
			if k := named(doc.Keys, id); k != nil {
				domains, key = append(domains, name), k
			}
		}
	}
	return domains, key
}

// named returns the key of an identifier, or nil.
func named(keys [][]byte, id []byte) []byte {
	for _, key := range keys {
		if h := keyID(key); bytes.Equal(h[:], id) {
			return key
		}
	}
	return nil
}

func verifyService(key []byte, r *wire.Request) error {
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return err
	}
	tbs, err := r.TBS()
	if err != nil {
		return err
	}
	if suite.VerifyWithLabel(key, wire.SignatureLabel, tbs, r.Auth.Signature) != nil {
		return &wire.Error{Code: wire.CodeNotAllowed}
	}
	return nil
}
