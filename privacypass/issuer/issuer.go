package issuer

import (
	"errors"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/privacypass"
)

// DefaultMaxBatch is the default of [Config.MaxBatch].
const DefaultMaxBatch = 128

// Config configures an [Issuer].
type Config struct {
	// MaxBatch is the most tokens that one request may ask for, at most
	// [privacypass.MaxAmortized]. 0 means [DefaultMaxBatch]. One request keeps a
	// processor busy for that many private-key operations; those of P-384 and blind
	// RSA cost ten times those of ristretto255.
	MaxBatch int
	// Rand is the source of the proofs' randomness: crypto/rand.Reader outside of
	// tests. A repeated or guessed value reveals the private key. It is read by
	// concurrent calls.
	Rand io.Reader
}

func (c *Config) validate() error {
	if c.MaxBatch == 0 {
		c.MaxBatch = DefaultMaxBatch
	}
	if c.MaxBatch < 1 || c.MaxBatch > privacypass.MaxAmortized {
		return fmt.Errorf("issuer: MaxBatch is %d", c.MaxBatch)
	}
	if c.Rand == nil {
		return errors.New("issuer: no random source")
	}
	return nil
}

// slot is what a request names a key by.
type slot struct {
	tokenType privacypass.TokenType
	truncated uint8
}

// Issuer answers requests with a fixed set of live keys.
type Issuer struct {
	config Config
	keys   map[slot]Key
}

// New returns an issuer with the keys given, of which no two of a type may share
// the truncated identifier ([ErrKeyCollision]).
func New(config Config, keys ...Key) (*Issuer, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	i := &Issuer{config, make(map[slot]Key, len(keys))}
	for _, k := range keys {
		s := slot{k.TokenType(), k.ID().Truncated()}
		if _, taken := i.keys[s]; taken {
			return nil, fmt.Errorf("%w: type %v, %#02x", ErrKeyCollision, s.tokenType, s.truncated)
		}
		i.keys[s] = k
	}
	return i, nil
}

// Response is the answer to a request.
type Response struct {
	// Status is 200, or for a generic batch 206 if some tokens were refused, or 400
	// if all were.
	Status int
	// MediaType and Body are the content; both are empty with status 400.
	MediaType string
	Body      []byte
	// Issued is the number of tokens in the body.
	Issued int
}

// Request is a well-formed request, ready to be answered.
type Request struct {
	rand io.Reader
	kind privacypass.Kind
	// entries are the parts with a proof each: one, or each of a generic batch.
	entries []entry
	count   int
}

type entry struct {
	key       Key // nil if a generic batch names a key that is not live
	tokenType privacypass.TokenType
	blinded   [][]byte
}

// Parse checks the framing of a request's content, finds the keys it names and
// compares the number of tokens with the limit, in all which it does no
// private-key operation. Whatever is wrong is [ErrUnprocessable]; an unknown key
// is [ErrUnknownKey], but in a generic batch only that entry fails, later.
//
// The Request aliases body.
func (i *Issuer) Parse(kind privacypass.Kind, body []byte) (*Request, error) {
	r := &Request{rand: i.config.Rand, kind: kind}
	switch kind {
	case privacypass.Single:
		q, err := privacypass.ParseTokenRequest(body)
		if err != nil {
			return nil, unprocessable(err)
		}
		r.add(i, q.TokenType, q.TruncatedKeyID, q.BlindedMsg)
	case privacypass.Amortized:
		q, err := privacypass.ParseAmortizedRequest(body, i.config.MaxBatch)
		if err != nil {
			return nil, unprocessable(err)
		}
		r.add(i, q.TokenType, q.TruncatedKeyID, q.BlindedMsgs...)
	case privacypass.Generic:
		q, err := privacypass.ParseGenericRequest(body, i.config.MaxBatch)
		if err != nil {
			return nil, unprocessable(err)
		}
		for _, e := range q.Requests {
			r.add(i, e.TokenType, e.TruncatedKeyID, e.BlindedMsg)
		}
		return r, nil
	default:
		return nil, unprocessable(privacypass.ErrMediaType)
	}
	if r.entries[0].key == nil {
		return nil, ErrUnknownKey
	}
	return r, nil
}

func (r *Request) add(i *Issuer, t privacypass.TokenType, truncated uint8, blinded ...[]byte) {
	r.entries = append(r.entries, entry{i.keys[slot{t, truncated}], t, blinded})
	r.count += len(blinded)
}

// Kind returns the exchange that the request belongs to.
func (r *Request) Kind() privacypass.Kind { return r.kind }

// Count returns how many tokens are asked for.
func (r *Request) Count() int { return r.count }

// Keys returns the identifier of the key of each token asked for, in order, and
// the zero KeyID where a generic batch names a key that is not live.
func (r *Request) Keys() []privacypass.KeyID {
	ids := make([]privacypass.KeyID, 0, r.count)
	for _, e := range r.entries {
		var id privacypass.KeyID
		if e.key != nil {
			id = e.key.ID()
		}
		for range e.blinded {
			ids = append(ids, id)
		}
	}
	return ids
}

// Issue answers the request. It returns [ErrElement] if a blinded message is
// invalid; in a generic batch only that entry is marked absent. [ErrFault] fails
// the whole request. Nothing is issued together with an error.
//
// Two calls give two answers that differ in their proofs and yield the same
// tokens.
func (r *Request) Issue() (*Response, error) {
	if r.kind == privacypass.Generic {
		return r.issueGeneric()
	}
	e := r.entries[0]
	evaluated, proof, err := e.key.evaluate(r.rand, e.blinded)
	if err != nil {
		return nil, err
	}
	var body []byte
	if r.kind == privacypass.Single {
		s := privacypass.TokenResponse{TokenType: e.tokenType, Evaluated: evaluated[0], Proof: proof}
		body, err = s.Marshal()
	} else {
		s := privacypass.AmortizedResponse{TokenType: e.tokenType, Evaluated: evaluated, Proof: proof}
		body, err = s.Marshal()
	}
	return r.respond(200, len(evaluated), body, err)
}

func (r *Request) issueGeneric() (*Response, error) {
	s := privacypass.GenericResponse{Responses: make([]*privacypass.TokenResponse, len(r.entries))}
	for i, e := range r.entries {
		if e.key == nil {
			continue
		}
		evaluated, proof, err := e.key.evaluate(r.rand, e.blinded)
		if errors.Is(err, ErrElement) {
			continue
		} else if err != nil {
			return nil, err
		}
		s.Responses[i] = &privacypass.TokenResponse{TokenType: e.tokenType, Evaluated: evaluated[0], Proof: proof}
	}
	if s.Issued() == 0 {
		return &Response{Status: s.Status()}, nil
	}
	body, err := s.Marshal()
	return r.respond(s.Status(), s.Issued(), body, err)
}

func (r *Request) respond(status, issued int, body []byte, err error) (*Response, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFault, err)
	}
	return &Response{Status: status, MediaType: r.kind.ResponseMediaType(), Body: body, Issued: issued}, nil
}
