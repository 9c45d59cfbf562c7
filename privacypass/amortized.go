package privacypass

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// MaxAmortized is the most tokens that one proof can cover: RFC 9497, Section
// 2.2.1 numbers them with two octets.
const MaxAmortized = 1<<16 - 1

// AmortizedRequest asks for several tokens of one key and one challenge under
// one proof (draft-ietf-privacypass-batched-tokens-07, Section 5.1).
type AmortizedRequest struct {
	TokenType      TokenType
	TruncatedKeyID uint8
	BlindedMsgs    [][]byte
}

// AmortizedResponse answers an [AmortizedRequest], in the same order.
type AmortizedResponse struct {
	TokenType TokenType
	Evaluated [][]byte
	Proof     []byte
}

// amortizedParams returns the sizes of a type that has amortized batches.
func amortizedParams(t TokenType) (Params, error) {
	p, err := t.Params()
	if err == nil && !p.Amortized {
		err = fmt.Errorf("%w: %v has no amortized batches", ErrTokenType, t)
	}
	return p, err
}

// ParseAmortizedRequest decodes a request for 1 to limit tokens. The number
// follows from the length, and is compared before anything is allocated for it:
// more than limit is [ErrBatchSize].
func ParseAmortizedRequest(b []byte, limit int) (*AmortizedRequest, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	q := &AmortizedRequest{TokenType: TokenType(r.Uint16())}
	if err := r.Err(); err != nil {
		return nil, malformed("amortized request", err)
	}
	p, err := amortizedParams(q.TokenType)
	if err != nil {
		return nil, err
	}
	q.TruncatedKeyID = r.Uint8()
	body := r.Opaque()
	if err := r.Finish(); err != nil {
		return nil, malformed("amortized request", err)
	}
	q.BlindedMsgs, err = split(body, p.BlindedSize, limit)
	return q, err
}

// ParseAmortizedResponse decodes the answer to a request for tokens of type t,
// of 1 to limit tokens.
func ParseAmortizedResponse(t TokenType, b []byte, limit int) (*AmortizedResponse, error) {
	p, err := amortizedParams(t)
	if err != nil {
		return nil, err
	}
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	body := r.Opaque()
	s := &AmortizedResponse{TokenType: t, Proof: r.Fixed(p.ProofSize)}
	if err := r.Finish(); err != nil {
		return nil, malformed("amortized response", err)
	}
	s.Evaluated, err = split(body, p.BlindedSize, limit)
	return s, err
}

// split cuts b into elements of the given size.
func split(b []byte, size, limit int) ([][]byte, error) {
	if len(b)%size != 0 {
		return nil, malformed("batch", tlscodec.ErrTruncated)
	}
	n := len(b) / size
	if err := checkBatch(n, min(limit, MaxAmortized)); err != nil {
		return nil, err
	}
	out := make([][]byte, n)
	for i := range out {
		out[i] = b[i*size : (i+1)*size : (i+1)*size]
	}
	return out, nil
}

func checkBatch(n, limit int) error {
	if n < 1 || n > limit {
		return fmt.Errorf("%w: %d, limit %d", ErrBatchSize, n, limit)
	}
	return nil
}

// writeElements writes elements<V>, each of the given size.
func writeElements(w *tlscodec.Writer, elements [][]byte, size int) {
	if err := checkBatch(len(elements), MaxAmortized); err != nil {
		w.Fail(err)
	}
	w.Varint(len(elements) * size)
	for _, e := range elements {
		if len(e) != size {
			w.Fail(fmt.Errorf("%w: element of %d octets", ErrInvalid, len(e)))
		}
		w.Raw(e)
	}
}

// Marshal encodes q.
func (q *AmortizedRequest) Marshal() ([]byte, error) {
	p, err := amortizedParams(q.TokenType)
	if err != nil {
		return nil, err
	}
	w := tlscodec.NewWriter(make([]byte, 0, 7+len(q.BlindedMsgs)*p.BlindedSize))
	w.Uint16(uint16(q.TokenType))
	w.Uint8(q.TruncatedKeyID)
	writeElements(w, q.BlindedMsgs, p.BlindedSize)
	return w.Bytes()
}

// Marshal encodes s.
func (s *AmortizedResponse) Marshal() ([]byte, error) {
	p, err := amortizedParams(s.TokenType)
	if err != nil {
		return nil, err
	}
	if len(s.Proof) != p.ProofSize {
		return nil, fmt.Errorf("%w: proof of %d octets", ErrInvalid, len(s.Proof))
	}
	w := tlscodec.NewWriter(make([]byte, 0, 4+len(s.Evaluated)*p.BlindedSize+p.ProofSize))
	writeElements(w, s.Evaluated, p.BlindedSize)
	w.Raw(s.Proof)
	return w.Bytes()
}
