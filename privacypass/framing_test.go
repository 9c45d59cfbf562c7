package privacypass_test

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/privacypass"
)

const limit = 8

// marshaler is what all structures can do.
type marshaler interface{ Marshal() ([]byte, error) }

type parser struct {
	parse   func([]byte) (marshaler, error)
	samples func() [][]byte
}

// parsers holds every parser of octets, with samples that it must accept and
// encode again to the same octets.
var parsers = map[string]parser{
	"TokenChallenge": {
		func(b []byte) (marshaler, error) { return box(privacypass.ParseTokenChallenge(b)) },
		func() [][]byte {
			return [][]byte{
				encode(&privacypass.TokenChallenge{TokenType: privacypass.BlindRSA, IssuerName: "i"}),
				encode(&privacypass.TokenChallenge{
					TokenType: privacypass.VOPRFRistretto255, IssuerName: "issuer.example",
					RedemptionContext: make([]byte, 32), OriginInfo: []string{"a.example", "b.example:8443"},
				}),
			}
		},
	},
	"Token": {
		func(b []byte) (marshaler, error) { return box(privacypass.ParseToken(b)) },
		each(func(t privacypass.TokenType, p privacypass.Params) marshaler {
			return &privacypass.Token{TokenType: t, Nonce: [32]byte{1}, Authenticator: make([]byte, p.AuthenticatorSize)}
		}),
	},
	"TokenRequest": {
		func(b []byte) (marshaler, error) { return box(privacypass.ParseTokenRequest(b)) },
		each(func(t privacypass.TokenType, p privacypass.Params) marshaler {
			return &privacypass.TokenRequest{TokenType: t, TruncatedKeyID: 7, BlindedMsg: make([]byte, p.BlindedSize)}
		}),
	},
	"AmortizedRequest": {
		func(b []byte) (marshaler, error) { return box(privacypass.ParseAmortizedRequest(b, limit)) },
		func() [][]byte {
			return [][]byte{
				encode(&privacypass.AmortizedRequest{TokenType: privacypass.VOPRFRistretto255, BlindedMsgs: elements(1, 32)}),
				encode(&privacypass.AmortizedRequest{TokenType: privacypass.VOPRFP384, BlindedMsgs: elements(limit, 49)}),
			}
		},
	},
	"GenericRequest": {
		func(b []byte) (marshaler, error) { return box(privacypass.ParseGenericRequest(b, limit)) },
		func() [][]byte {
			return [][]byte{encode(&privacypass.GenericRequest{Requests: []privacypass.TokenRequest{
				{TokenType: privacypass.VOPRFP384, BlindedMsg: make([]byte, 49)},
				{TokenType: privacypass.BlindRSA, BlindedMsg: make([]byte, 256)},
				{TokenType: privacypass.VOPRFRistretto255, BlindedMsg: make([]byte, 32)},
			}})}
		},
	},
	"GenericResponse": {
		func(b []byte) (marshaler, error) { return box(privacypass.ParseGenericResponse(b, limit)) },
		func() [][]byte {
			return [][]byte{
				encode(&privacypass.GenericResponse{Responses: []*privacypass.TokenResponse{nil}}),
				encode(&privacypass.GenericResponse{Responses: []*privacypass.TokenResponse{
					{TokenType: privacypass.BlindRSA, Evaluated: make([]byte, 256)},
					nil,
					{TokenType: privacypass.VOPRFRistretto255, Evaluated: make([]byte, 32), Proof: make([]byte, 64)},
				}}),
			}
		},
	},
	"Extensions": {
		func(b []byte) (marshaler, error) { return box(privacypass.ParseExtensions(b)) },
		func() [][]byte {
			return [][]byte{
				encode(privacypass.Extensions{}),
				encode(privacypass.Extensions{{1, []byte("a")}, {1, nil}, {9, make([]byte, 300)}}),
			}
		},
	},
	"TokenResponse 0x0001":     response(privacypass.VOPRFP384),
	"TokenResponse 0x0002":     response(privacypass.BlindRSA),
	"TokenResponse 0x0005":     response(privacypass.VOPRFRistretto255),
	"AmortizedResponse 0x0001": amortizedResponse(privacypass.VOPRFP384),
	"AmortizedResponse 0x0005": amortizedResponse(privacypass.VOPRFRistretto255),
}

func response(t privacypass.TokenType) parser {
	p, _ := t.Params()
	return parser{
		func(b []byte) (marshaler, error) { return box(privacypass.ParseTokenResponse(t, b)) },
		func() [][]byte {
			return [][]byte{encode(&privacypass.TokenResponse{
				TokenType: t, Evaluated: make([]byte, p.BlindedSize), Proof: make([]byte, p.ProofSize),
			})}
		},
	}
}

func amortizedResponse(t privacypass.TokenType) parser {
	p, _ := t.Params()
	return parser{
		func(b []byte) (marshaler, error) { return box(privacypass.ParseAmortizedResponse(t, b, limit)) },
		func() [][]byte {
			return [][]byte{encode(&privacypass.AmortizedResponse{
				TokenType: t, Evaluated: elements(3, p.BlindedSize), Proof: make([]byte, p.ProofSize),
			})}
		},
	}
}

// box keeps a nil pointer from becoming an interface that is not nil.
func box[T marshaler](v T, err error) (marshaler, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func encode(m marshaler) []byte {
	b, err := m.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

func elements(n, size int) [][]byte {
	e := make([][]byte, n)
	for i := range e {
		e[i] = bytes.Repeat([]byte{byte(i)}, size)
	}
	return e
}

func each(f func(privacypass.TokenType, privacypass.Params) marshaler) func() [][]byte {
	return func() (samples [][]byte) {
		for _, t := range privacypass.TokenTypes() {
			p, _ := t.Params()
			samples = append(samples, encode(f(t, p)))
		}
		return samples
	}
}

// TestStrictPrefixesAndTrailingOctets: each parser takes its samples, gives the
// same octets back, and takes no strict prefix and not one octet more.
func TestStrictPrefixesAndTrailingOctets(t *testing.T) {
	for name, p := range parsers {
		for _, sample := range p.samples() {
			m, err := p.parse(sample)
			if err != nil {
				t.Errorf("%s: sample of %d octets: %v", name, len(sample), err)
				continue
			}
			if !bytes.Equal(encode(m), sample) {
				t.Errorf("%s: encodes as %x", name, encode(m))
			}
			for n := range sample {
				if _, err := p.parse(sample[:n]); err == nil {
					t.Errorf("%s: prefix of %d octets accepted", name, n)
				}
			}
			if _, err := p.parse(append(bytes.Clone(sample), 0)); !errors.Is(err, privacypass.ErrMalformed) {
				t.Errorf("%s: trailing octet: %v", name, err)
			}
		}
	}
}

// TestWrongSizes: a message of another type's size is refused, and so is every
// length of the right structure that does not divide into elements.
func TestWrongSizes(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		p, _ := typ.Params()
		for size := range 300 {
			b := append([]byte{byte(typ >> 8), byte(typ), 0}, make([]byte, size)...)
			if _, err := privacypass.ParseTokenRequest(b); (err == nil) != (size == p.BlindedSize) {
				t.Errorf("%v: request with %d octets: %v", typ, size, err)
			}
			if _, err := privacypass.ParseTokenResponse(typ, make([]byte, size)); (err == nil) != (size == p.ResponseSize()) {
				t.Errorf("%v: response of %d octets: %v", typ, size, err)
			}
			if !p.Amortized {
				continue
			}
			w := tlscodec.NewWriter([]byte{byte(typ >> 8), byte(typ), 0})
			w.Opaque(make([]byte, size))
			b, _ = w.Bytes()
			_, err := privacypass.ParseAmortizedRequest(b, limit)
			if want := size > 0 && size%p.BlindedSize == 0 && size/p.BlindedSize <= limit; (err == nil) != want {
				t.Errorf("%v: batch of %d octets: %v", typ, size, err)
			}
		}
		for _, m := range []marshaler{
			&privacypass.TokenRequest{TokenType: typ, BlindedMsg: make([]byte, p.BlindedSize+1)},
			&privacypass.TokenResponse{TokenType: typ, Evaluated: make([]byte, p.BlindedSize), Proof: make([]byte, p.ProofSize+1)},
			&privacypass.Token{TokenType: typ, Authenticator: make([]byte, p.AuthenticatorSize-1)},
			&privacypass.TokenChallenge{TokenType: typ, IssuerName: "i", RedemptionContext: make([]byte, 31)},
		} {
			if _, err := m.Marshal(); !errors.Is(err, privacypass.ErrInvalid) {
				t.Errorf("%v: encoding %T: %v", typ, m, err)
			}
		}
	}
}

func TestUnknownAndReservedTypes(t *testing.T) {
	for _, typ := range []privacypass.TokenType{0x0000, 0x0003, 0xDA7A, 0xE5AC, 0xF057} {
		if _, err := typ.Params(); !errors.Is(err, privacypass.ErrTokenType) {
			t.Errorf("%v: %v", typ, err)
		}
		head := []byte{byte(typ >> 8), byte(typ)}
		body := append(head, make([]byte, 300)...)
		for name, p := range map[string]func() error{
			"challenge": func() error { _, err := privacypass.ParseTokenChallenge(body); return err },
			"token":     func() error { _, err := privacypass.ParseToken(body); return err },
			"request":   func() error { _, err := privacypass.ParseTokenRequest(body); return err },
			"response":  func() error { _, err := privacypass.ParseTokenResponse(typ, body); return err },
			"amortized": func() error { _, err := privacypass.ParseAmortizedRequest(body, limit); return err },
			"generic": func() error {
				_, err := privacypass.ParseGenericRequest([]byte{2, head[0], head[1]}, limit)
				return err
			},
		} {
			if err := p(); !errors.Is(err, privacypass.ErrTokenType) {
				t.Errorf("%v: %s: %v", typ, name, err)
			}
		}
	}
	if privacypass.TokenType(0x0003).IsGrease() || !privacypass.TokenType(0xF057).IsGrease() {
		t.Error("IsGrease is wrong")
	}
	// Blind RSA has no amortized batches.
	if _, err := privacypass.ParseAmortizedResponse(privacypass.BlindRSA, make([]byte, 300), limit); !errors.Is(err, privacypass.ErrTokenType) {
		t.Errorf("amortized blind RSA: %v", err)
	}
}

// TestBatchBoundedBeforeAllocation: megabytes of batch over the limit are refused
// at the price of a few small allocations.
func TestBatchBoundedBeforeAllocation(t *testing.T) {
	const many = 60000
	request := encode(&privacypass.AmortizedRequest{TokenType: privacypass.VOPRFRistretto255, BlindedMsgs: elements(many, 32)})
	response := encode(&privacypass.AmortizedResponse{
		TokenType: privacypass.VOPRFRistretto255, Evaluated: elements(many, 32), Proof: make([]byte, 64),
	})
	entries := make([]privacypass.TokenRequest, many)
	for i := range entries {
		entries[i] = privacypass.TokenRequest{TokenType: privacypass.VOPRFRistretto255, BlindedMsg: make([]byte, 32)}
	}
	generic := encode(&privacypass.GenericRequest{Requests: entries})
	absent := encode(&privacypass.GenericResponse{Responses: make([]*privacypass.TokenResponse, many)})
	for name, parse := range map[string]func(limit int) error{
		"amortized request": func(limit int) error { _, err := privacypass.ParseAmortizedRequest(request, limit); return err },
		"amortized response": func(limit int) error {
			_, err := privacypass.ParseAmortizedResponse(privacypass.VOPRFRistretto255, response, limit)
			return err
		},
		"generic request":  func(limit int) error { _, err := privacypass.ParseGenericRequest(generic, limit); return err },
		"generic response": func(limit int) error { _, err := privacypass.ParseGenericResponse(absent, limit); return err },
	} {
		if err := parse(limit); !errors.Is(err, privacypass.ErrBatchSize) {
			t.Errorf("%s: %v", name, err)
		}
		if n := allocated(func() { parse(limit) }); n > 8<<10 {
			t.Errorf("%s: %d octets allocated", name, n)
		}
		if err := parse(many - 1); !errors.Is(err, privacypass.ErrBatchSize) {
			t.Errorf("%s: one over the limit: %v", name, err)
		}
		if err := parse(many); err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		}
	}
}

// allocated returns how many octets f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range []privacypass.Kind{privacypass.Single, privacypass.Amortized, privacypass.Generic} {
		got, err := privacypass.KindOf(k.RequestMediaType())
		if err != nil || got != k {
			t.Errorf("%v: %v, %v", k, got, err)
		}
		if _, err := privacypass.KindOf(k.ResponseMediaType()); !errors.Is(err, privacypass.ErrMediaType) {
			t.Errorf("%v: response type as a request: %v", k, err)
		}
		seen[k.String()] = true
	}
	if len(seen) != 3 || privacypass.Kind(0).String() != "invalid" {
		t.Errorf("names %v", seen)
	}
}
