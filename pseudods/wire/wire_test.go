package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
)

type structure interface {
	mls.Marshaler
	mls.Unmarshaler
}

type sample struct {
	name  string
	value structure
	empty func() structure
}

func samples() []sample {
	request := func() structure { return new(Request) }
	response := func() structure { return new(Response) }
	nonce := [NonceSize]byte{1, 2, 3}
	out := []sample{
		{"response", &Response{Body: []byte("body")}, response},
		{"empty response", &Response{}, response},
		{"credential", credential(), func() structure { return new(PseudonymousCredential) }},
	}
	for auth := AuthNone; auth <= AuthService; auth++ {
		r := &Request{RecipientDomain: "ds.example", Operation: OpUpdate, Body: []byte("body"), ExpiresAt: 1 << 33, Nonce: nonce,
			Tokens: [][]byte{{1}, {2, 3}}, Auth: Auth{Type: auth}}
		switch auth {
		case AuthLeaf:
			r.Auth.Leaf = 7
			r.GroupStateKey = secret.Clone(bytes.Repeat([]byte{9}, GroupStateKeySize))
		case AuthJoiner, AuthUser, AuthService:
			r.Auth.KeyID = []byte("key id")
		}
		if auth != AuthNone {
			r.Auth.Signature = []byte("signature")
		}
		out = append(out, sample{fmt.Sprint("request with authentication ", auth), r, request})
	}
	for c := CodeInternal; c <= lastCode; c++ {
		e := &Error{Code: c}
		switch c {
		case CodeWrongEpoch:
			e.Epoch = 42
		case CodeRateLimited:
			e.RetryAfter = 30
		case CodeInvalidProposal, CodePendingProposals:
			e.Refs = []mls.ProposalRef{[]byte("ref")}
		case CodeTokenRequired:
			e.Challenges = []string{`PrivateToken challenge="AA=="`}
		}
		out = append(out, sample{fmt.Sprint("error ", c), &Response{Err: e}, response})
	}
	return out
}

func TestRoundTripPrefixAndTrailingOctet(t *testing.T) {
	for _, s := range samples() {
		data, err := mls.Marshal(s.value)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		v := s.empty()
		if err := mls.Unmarshal(data, v); err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if again, err := mls.Marshal(v); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s: encodes as %x, %v; want %x", s.name, again, err, data)
		}
		for n := range data {
			if err := mls.Unmarshal(data[:n], s.empty()); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: prefix of %d octets: %v", s.name, n, err)
			}
		}
		if err := mls.Unmarshal(append(data, 0), s.empty()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: trailing octet: %v", s.name, err)
		}
	}
}

// TestINV03SignatureCoversEverything: a change of any field but the signature changes
// what is signed, the recipient's domain, expiry and nonce among them.
func TestINV03SignatureCoversEverything(t *testing.T) {
	base := func() *Request {
		return &Request{RecipientDomain: "ds.example", Operation: OpUpdate, Body: []byte("body"), ExpiresAt: 1, Tokens: [][]byte{{1}},
			GroupStateKey: secret.Clone(make([]byte, GroupStateKeySize)), Auth: Auth{Type: AuthLeaf, Leaf: 1}}
	}
	want, err := base().TBS()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Request){
		"recipient": func(r *Request) { r.RecipientDomain = "other.example" },
		"operation": func(r *Request) { r.Operation = OpPropose },
		"body":      func(r *Request) { r.Body = []byte("b0dy") },
		"key":       func(r *Request) { r.GroupStateKey = secret.Bytes{} },
		"expiry":    func(r *Request) { r.ExpiresAt++ },
		"nonce":     func(r *Request) { r.Nonce[15]++ },
		"tokens":    func(r *Request) { r.Tokens = nil },
		"auth type": func(r *Request) { r.Auth = Auth{Type: AuthQueue} },
		"leaf":      func(r *Request) { r.Auth.Leaf++ },
	} {
		r := base()
		change(r)
		if got, err := r.TBS(); err != nil || bytes.Equal(got, want) {
			t.Errorf("%s is not covered by the signature: %v", name, err)
		}
	}
	r := base()
	r.Auth.Signature = []byte("signature")
	if got, err := r.TBS(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the signature covers itself: %v", err)
	}
}

func TestRefusedWhileDecoding(t *testing.T) {
	good, err := mls.Marshal(&Request{RecipientDomain: "d", Operation: OpUpdate})
	if err != nil {
		t.Fatal(err)
	}
	version := bytes.Clone(good)
	version[1] = 2
	if _, err := ParseRequest(version, 0); !errors.Is(err, ErrVersion) {
		t.Errorf("version 2: %v", err)
	}
	if _, err := ParseRequest(good, len(good)-1); !errors.Is(err, ErrMalformed) {
		t.Errorf("over the size limit: %v", err)
	}
	for name, r := range map[string]*Request{
		"no recipient":       {Operation: OpUpdate},
		"long recipient":     {RecipientDomain: strings.Repeat("d", maxDomain+1)},
		"short key":          {RecipientDomain: "d", GroupStateKey: secret.Clone([]byte{1})},
		"unknown auth type":  {RecipientDomain: "d", Auth: Auth{Type: 9}},
		"error without code": nil,
	} {
		var m mls.Marshaler = r
		if r == nil {
			m = &Error{}
		}
		if _, err := mls.Marshal(m); !errors.Is(err, mls.ErrEncode) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsMatchByCode(t *testing.T) {
	err := fmt.Errorf("calling: %w", &Error{Code: CodeWrongEpoch, Epoch: 3})
	if !errors.Is(err, &Error{Code: CodeWrongEpoch}) || errors.Is(err, &Error{Code: CodeStale}) {
		t.Error("errors.Is does not go by the code")
	}
}
