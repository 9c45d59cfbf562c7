package client

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/privacypass"
)

// Want asks for a token.
type Want struct {
	Key *PublicKey
	// Challenge is what the token is bound to. Its type must be the key's.
	Challenge *privacypass.TokenChallenge
	// ZeroSalt selects the variant PSSZERO of blind RSA, whose tokens verify only
	// where the origin accepts that variant. False is the variant PSS.
	ZeroSalt bool
}

// Pending is a request that was made and not answered yet. It is immutable and
// holds secrets: what it prints as shows none of them.
type Pending struct {
	kind    privacypass.Kind
	request []byte
	groups  func() []group
}

// group is the tokens of a request that share a key and a challenge: all of an
// amortized batch, one for each entry of a generic batch.
type group struct {
	key    *PublicKey
	digest [sha256.Size]byte
	items  []item
	// blinded are the blinded messages. They follow from the rest.
	blinded [][]byte
}

// item is one token in the making.
type item struct {
	nonce [privacypass.NonceSize]byte
	blinding
}

// Single makes a request for one token.
//
// The three constructors read from rand, for each token in order, the nonce and
// then what the token's type needs: 64 octets for a scalar of ristretto255, 48
// for one of P-384, for blind RSA the salt (48 octets, unless ZeroSalt) and the
// blinding factor (256). Values out of range are drawn again. Pass crypto/rand.Reader, or a seeded stream if several
// devices must make the same request.
func Single(rand io.Reader, w Want) (*Pending, error) {
	g, err := newGroup(rand, w, 1)
	if err != nil {
		return nil, err
	}
	return newPending(privacypass.Single, []group{g})
}

// Amortized makes a request for n tokens, 1 to [privacypass.MaxAmortized], of a
// VOPRF type. Blind RSA is [privacypass.ErrTokenType].
func Amortized(rand io.Reader, w Want, n int) (*Pending, error) {
	if n < 1 || n > privacypass.MaxAmortized {
		return nil, fmt.Errorf("%w: %d", privacypass.ErrBatchSize, n)
	}
	if w.Key != nil && w.Key.tokenType == privacypass.BlindRSA {
		return nil, fmt.Errorf("%w: %v has no amortized batches", privacypass.ErrTokenType, w.Key.tokenType)
	}
	g, err := newGroup(rand, w, n)
	if err != nil {
		return nil, err
	}
	return newPending(privacypass.Amortized, []group{g})
}

// Generic makes a request for one token per want, of any types and keys.
func Generic(rand io.Reader, wants []Want) (*Pending, error) {
	if len(wants) < 1 || len(wants) > privacypass.MaxAmortized {
		return nil, fmt.Errorf("%w: %d", privacypass.ErrBatchSize, len(wants))
	}
	groups := make([]group, len(wants))
	for i, w := range wants {
		var err error
		if groups[i], err = newGroup(rand, w, 1); err != nil {
			return nil, err
		}
	}
	return newPending(privacypass.Generic, groups)
}

func newGroup(rand io.Reader, w Want, n int) (group, error) {
	if w.Key == nil || w.Challenge == nil {
		return group{}, fmt.Errorf("%w: no key or no challenge", ErrWant)
	}
	if w.Key.tokenType != w.Challenge.TokenType {
		return group{}, fmt.Errorf("%w: key of type %v, challenge of type %v", ErrWant, w.Key.tokenType, w.Challenge.TokenType)
	}
	digest, err := w.Challenge.Digest()
	if err != nil {
		return group{}, fmt.Errorf("%w: %w", ErrWant, err)
	}
	g := group{key: w.Key, digest: digest, items: make([]item, n)}
	for i := range g.items {
		if _, err := io.ReadFull(rand, g.items[i].nonce[:]); err != nil {
			return group{}, fmt.Errorf("%w: %w", ErrRandom, err)
		}
		if g.items[i].blinding, err = w.Key.protocol.draw(rand, w.ZeroSalt); err != nil {
			return group{}, err
		}
	}
	return g, nil
}

// token returns the i-th token without its authenticator.
func (g *group) token(i int) privacypass.Token {
	return privacypass.Token{
		TokenType: g.key.tokenType, Nonce: g.items[i].nonce, ChallengeDigest: g.digest, KeyID: g.key.id,
	}
}

func (g *group) inputs() [][]byte {
	inputs := make([][]byte, len(g.items))
	for i := range inputs {
		t := g.token(i)
		in := t.AuthenticatorInput()
		inputs[i] = in[:]
	}
	return inputs
}

// blind fills in the blinded messages.
func (g *group) blind() error {
	g.blinded = g.inputs()
	for i, in := range g.blinded {
		var err error
		if g.blinded[i], err = g.key.protocol.blind(in, g.items[i].blinding); err != nil {
			return err
		}
	}
	return nil
}

// newPending computes the request, for new states and restored ones alike.
func newPending(kind privacypass.Kind, groups []group) (*Pending, error) {
	for i := range groups {
		if err := groups[i].blind(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
	}
	request, err := encodeRequest(kind, groups)
	if err != nil {
		return nil, err
	}
	return &Pending{kind, request, func() []group { return groups }}, nil
}

func encodeRequest(kind privacypass.Kind, groups []group) ([]byte, error) {
	if kind == privacypass.Amortized {
		k := groups[0].key
		q := privacypass.AmortizedRequest{TokenType: k.tokenType, TruncatedKeyID: k.id.Truncated(), BlindedMsgs: groups[0].blinded}
		return q.Marshal()
	}
	batch := privacypass.GenericRequest{Requests: make([]privacypass.TokenRequest, len(groups))}
	for i, g := range groups {
		batch.Requests[i] = privacypass.TokenRequest{
			TokenType: g.key.tokenType, TruncatedKeyID: g.key.id.Truncated(), BlindedMsg: g.blinded[0],
		}
	}
	if kind == privacypass.Single {
		return batch.Requests[0].Marshal()
	}
	return batch.Marshal()
}

// Kind returns the exchange to use; its media types go with the request.
func (p *Pending) Kind() privacypass.Kind { return p.kind }

// Request returns the content to send to the issuer.
func (p *Pending) Request() []byte { return bytes.Clone(p.request) }

// Count returns how many tokens are asked for.
func (p *Pending) Count() int {
	n := 0
	for _, g := range p.groups() {
		n += len(g.items)
	}
	return n
}

// String shows the kind of the request alone.
func (p *Pending) String() string { return p.kind.String() + " token request" }
