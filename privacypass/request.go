package privacypass

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// TokenRequest asks for one token (RFC 9578, Sections 5.1 and 6.1).
type TokenRequest struct {
	TokenType      TokenType
	TruncatedKeyID uint8
	// BlindedMsg is as long as the token type says: 49, 256 or 32 octets.
	BlindedMsg []byte
}

// TokenResponse answers a [TokenRequest] (RFC 9578, Sections 5.2 and 6.2). The
// encoding does not name its type, except inside a generic batch.
type TokenResponse struct {
	TokenType TokenType
	// Evaluated is the evaluated element, or the blind signature.
	Evaluated []byte
	// Proof is the serialized proof: 96, 0 or 64 octets.
	Proof []byte
}

func readRequest(r *tlscodec.Reader) (q TokenRequest) {
	q.TokenType = TokenType(r.Uint16())
	if r.Err() != nil {
		return q
	}
	p, err := q.TokenType.Params()
	if err != nil {
		r.Fail(err)
		return q
	}
	q.TruncatedKeyID = r.Uint8()
	q.BlindedMsg = r.Fixed(p.BlindedSize)
	return q
}

func (q *TokenRequest) write(w *tlscodec.Writer) {
	p, err := q.TokenType.Params()
	if err != nil {
		w.Fail(err)
		return
	}
	if len(q.BlindedMsg) != p.BlindedSize {
		w.Fail(fmt.Errorf("%w: blinded message of %d octets", ErrInvalid, len(q.BlindedMsg)))
	}
	w.Uint16(uint16(q.TokenType))
	w.Uint8(q.TruncatedKeyID)
	w.Raw(q.BlindedMsg)
}

func readResponse(t TokenType, r *tlscodec.Reader) (s TokenResponse) {
	p, err := t.Params()
	if err != nil {
		r.Fail(err)
		return s
	}
	return TokenResponse{TokenType: t, Evaluated: r.Fixed(p.BlindedSize), Proof: r.Fixed(p.ProofSize)}
}

func (s *TokenResponse) write(w *tlscodec.Writer) {
	p, err := s.TokenType.Params()
	if err != nil {
		w.Fail(err)
		return
	}
	if len(s.Evaluated) != p.BlindedSize || len(s.Proof) != p.ProofSize {
		w.Fail(fmt.Errorf("%w: response of %d + %d octets", ErrInvalid, len(s.Evaluated), len(s.Proof)))
	}
	w.Raw(s.Evaluated)
	w.Raw(s.Proof)
}

// ParseTokenRequest decodes a request for a token of a supported type. Another
// type is [ErrTokenType], which here and in the responses and generic batches
// below goes with [ErrMalformed].
func ParseTokenRequest(b []byte) (*TokenRequest, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	q := readRequest(r)
	if err := r.Finish(); err != nil {
		return nil, malformed("token request", err)
	}
	return &q, nil
}

// Marshal encodes q: 52, 259 or 35 octets.
func (q *TokenRequest) Marshal() ([]byte, error) {
	var w tlscodec.Writer
	q.write(&w)
	return w.Bytes()
}

// ParseTokenResponse decodes the answer to a request of type t.
func ParseTokenResponse(t TokenType, b []byte) (*TokenResponse, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	s := readResponse(t, r)
	if err := r.Finish(); err != nil {
		return nil, malformed("token response", err)
	}
	return &s, nil
}

// Marshal encodes s: 145, 256 or 96 octets.
func (s *TokenResponse) Marshal() ([]byte, error) {
	var w tlscodec.Writer
	s.write(&w)
	return w.Bytes()
}
