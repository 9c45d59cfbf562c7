package privacypass

import "github.com/pseudods/pseudods/internal/tlscodec"

// GenericRequest asks for several tokens of any types and keys in one message
// (draft-ietf-privacypass-batched-tokens-07, Section 6.1). Each entry is
// answered by itself. The token type stands once per entry, as in the draft's
// test vectors.
type GenericRequest struct {
	Requests []TokenRequest
}

// GenericResponse answers a [GenericRequest], in the same order. A nil entry is
// a token that the issuer refused or failed to issue.
type GenericResponse struct {
	Responses []*TokenResponse
}

// ParseGenericRequest decodes a batch of 1 to limit requests. A longer one is
// [ErrBatchSize]; it is noticed before the entry over the limit is stored. An
// entry of an unknown type is [ErrTokenType] for the whole batch, since its
// size is unknown too.
func ParseGenericRequest(b []byte, limit int) (*GenericRequest, error) {
	q := &GenericRequest{}
	err := readBatch(b, limit, func(r *tlscodec.Reader) {
		q.Requests = append(q.Requests, readRequest(r))
	})
	if err != nil {
		return nil, malformed("generic request", err)
	}
	return q, nil
}

// ParseGenericResponse decodes the answers to a batch of 1 to limit requests.
func ParseGenericResponse(b []byte, limit int) (*GenericResponse, error) {
	s := &GenericResponse{}
	err := readBatch(b, limit, func(r *tlscodec.Reader) {
		if !r.Bool() {
			s.Responses = append(s.Responses, nil)
			return
		}
		t := TokenType(r.Uint16())
		if r.Err() != nil {
			return
		}
		e := readResponse(t, r)
		s.Responses = append(s.Responses, &e)
	})
	if err != nil {
		return nil, malformed("generic response", err)
	}
	return s, nil
}

// readBatch reads one vector of 1 to limit entries and nothing behind it.
func readBatch(b []byte, limit int, entry func(*tlscodec.Reader)) error {
	n := 0
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	r.Vector(func(r *tlscodec.Reader) {
		if n++; n > limit {
			r.Fail(checkBatch(n, limit))
			return
		}
		entry(r)
	})
	if err := r.Finish(); err != nil {
		return err
	}
	return checkBatch(n, limit)
}

// Marshal encodes q.
func (q *GenericRequest) Marshal() ([]byte, error) {
	if len(q.Requests) == 0 {
		return nil, checkBatch(0, MaxAmortized)
	}
	var w tlscodec.Writer
	w.Vector(func(w *tlscodec.Writer) {
		for i := range q.Requests {
			q.Requests[i].write(w)
		}
	})
	return w.Bytes()
}

// Marshal encodes s.
func (s *GenericResponse) Marshal() ([]byte, error) {
	if len(s.Responses) == 0 {
		return nil, checkBatch(0, MaxAmortized)
	}
	var w tlscodec.Writer
	w.Vector(func(w *tlscodec.Writer) {
		for _, e := range s.Responses {
			w.Bool(e != nil)
			if e != nil {
				w.Uint16(uint16(e.TokenType))
				e.write(w)
			}
		}
	})
	return w.Bytes()
}

// Issued returns how many entries hold a token.
func (s *GenericResponse) Issued() int {
	n := 0
	for _, e := range s.Responses {
		if e != nil {
			n++
		}
	}
	return n
}

// Status returns the HTTP status that the draft's Section 6.2 gives s: 200 if
// all tokens were issued, 206 if some were, 400 if none was. A response with
// status 400 has no content.
func (s *GenericResponse) Status() int {
	switch s.Issued() {
	case 0:
		return 400
	case len(s.Responses):
		return 200
	}
	return 206
}
