package client

import (
	"fmt"

	"github.com/pseudods/pseudods/privacypass"
)

// Finalize checks the content of the issuer's answer and returns the tokens in
// the order of the request. Entries that the issuer of a generic batch marked
// absent give no token and no error, so the result may be shorter than
// [Pending.Count], or empty. If anything at all in the answer does not verify,
// the result is [ErrResponse] and no tokens: such an issuer is broken, or marks its
// clients. If it does not parse, the error wraps that of package privacypass too.
//
// Finalize changes nothing: the same answer gives the same tokens again. Use
// each token once.
func (p *Pending) Finalize(response []byte) ([]*privacypass.Token, error) {
	groups := p.groups()
	if p.kind == privacypass.Generic {
		return p.finalizeGeneric(groups, response)
	}
	g := &groups[0]
	if p.kind == privacypass.Single {
		s, err := privacypass.ParseTokenResponse(g.key.tokenType, response)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrResponse, err)
		}
		return g.finalize([][]byte{s.Evaluated}, s.Proof)
	}
	s, err := privacypass.ParseAmortizedResponse(g.key.tokenType, response, len(g.items))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResponse, err)
	}
	return g.finalize(s.Evaluated, s.Proof)
}

func (p *Pending) finalizeGeneric(groups []group, response []byte) ([]*privacypass.Token, error) {
	s, err := privacypass.ParseGenericResponse(response, len(groups))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResponse, err)
	}
	if len(s.Responses) != len(groups) {
		return nil, fmt.Errorf("%w: %d entries for %d", ErrResponse, len(s.Responses), len(groups))
	}
	tokens := make([]*privacypass.Token, 0, s.Issued())
	for i, e := range s.Responses {
		if e == nil {
			continue
		}
		g := &groups[i]
		if e.TokenType != g.key.tokenType {
			return nil, fmt.Errorf("%w: type %v for %v", ErrResponse, e.TokenType, g.key.tokenType)
		}
		t, err := g.finalize([][]byte{e.Evaluated}, e.Proof)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t...)
	}
	return tokens, nil
}

func (g *group) finalize(evaluated [][]byte, proof []byte) ([]*privacypass.Token, error) {
	if len(evaluated) != len(g.items) {
		return nil, fmt.Errorf("%w: %d tokens for %d", ErrResponse, len(evaluated), len(g.items))
	}
	blindings := make([]blinding, len(g.items))
	for i := range blindings {
		blindings[i] = g.items[i].blinding
	}
	authenticators, err := g.key.protocol.finalize(g.inputs(), blindings, g.blinded, evaluated, proof)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResponse, err)
	}
	tokens := make([]*privacypass.Token, len(authenticators))
	for i, a := range authenticators {
		t := g.token(i)
		t.Authenticator = a
		tokens[i] = &t
	}
	return tokens, nil
}
