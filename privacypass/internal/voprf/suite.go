package voprf

import (
	"crypto"
	_ "crypto/sha512" // the hash of both suites
	"errors"
	"io"
)

// The errors of this package.
var (
	// ErrElement: octets are not the canonical compressed encoding of an element
	// other than the identity.
	ErrElement = errors.New("voprf: invalid element")
	// ErrScalar: octets are not the canonical encoding of a scalar other than zero.
	ErrScalar = errors.New("voprf: invalid scalar")
	// ErrProof: a proof does not hold for its elements and key.
	ErrProof = errors.New("voprf: proof does not verify")
	// ErrInput: an input maps to the identity, or a key cannot be derived.
	ErrInput = errors.New("voprf: input has no output")
	// ErrBatch: a batch is empty, over 65535 elements, or its parts differ in length.
	ErrBatch = errors.New("voprf: invalid batch")
)

// maxDraws bounds the search for a random scalar. A source that misses as often
// as that is no random source.
const maxDraws = 16

var errDraws = errors.New("voprf: random source repeats itself")

// maxBatch is what the two-octet index of RFC 9497, Section 2.2.1 can number.
const maxBatch = 1<<16 - 1

// group is a prime-order group as RFC 9497, Section 2.1 describes it, with
// elements E and scalars S. Methods whose names begin with varTime are for
// public data only.
type group[E, S any] interface {
	hashToGroup(msg, dst []byte) E
	varTimeHashToGroup(msg, dst []byte) E
	hashToScalar(msg, dst []byte) S
	randomScalar(rand io.Reader) (S, error)

	decodeElement(b []byte) (E, error)
	encodeElement(e E) []byte
	decodeScalar(b []byte) (S, error)
	encodeScalar(s S) []byte

	// identity returns the encoding of the identity.
	identity() []byte
	isZero(s S) bool
	mul(s S, e E) E
	mulGenerator(s S) E
	// subMul returns a - b*c.
	subMul(a, b, c S) S
	invert(s S) S

	varTimeMultiMul(s []S, e []E) E
	// varTimeDoubleMul returns a*A + b*G.
	varTimeDoubleMul(a S, A E, b S) E
}

// suite is a group with its hash and the domain separation tags of the
// verifiable mode.
type suite[E, S any] struct {
	group[E, S]
	hash                                        crypto.Hash
	scalarSize                                  int
	toGroupTag, toScalarTag, deriveTag, seedTag []byte
}

const modeVerifiable = 1

func newSuite[E, S any](g group[E, S], id string, h crypto.Hash, scalarSize int) *suite[E, S] {
	context := "OPRFV1-" + string(rune(modeVerifiable)) + "-" + id
	return &suite[E, S]{
		group: g, hash: h, scalarSize: scalarSize,
		toGroupTag:  []byte("HashToGroup-" + context),
		toScalarTag: []byte("HashToScalar-" + context),
		deriveTag:   []byte("DeriveKeyPair" + context),
		seedTag:     []byte("Seed-" + context),
	}
}

// Suite makes the keys of one cipher suite.
type Suite interface {
	// GenerateKey makes a private key from rand.
	GenerateKey(rand io.Reader) (PrivateKey, error)
	// DeriveKey is DeriveKeyPair of RFC 9497, Section 3.2.1.
	DeriveKey(seed, info []byte) (PrivateKey, error)
	// NewPrivateKey decodes a scalar.
	NewPrivateKey(b []byte) (PrivateKey, error)
	// NewPublicKey decodes an element.
	NewPublicKey(b []byte) (PublicKey, error)
	// ScalarSize is Ns in octets.
	ScalarSize() int
}

// PrivateKey is the server's side. It is immutable: methods may be called
// concurrently. What it prints as shows nothing.
type PrivateKey interface {
	// Bytes returns the scalar. The result is secret.
	Bytes() []byte
	// Public returns the encoded public key, computed when the key was made.
	Public() []byte
	// BlindEvaluate evaluates a batch of blinded elements and proves all of it
	// at once. Nothing is computed unless every element decodes.
	BlindEvaluate(rand io.Reader, blinded [][]byte) (evaluated [][]byte, proof []byte, err error)
	// Evaluate returns the output for an input that is not blinded, and public.
	Evaluate(input []byte) ([]byte, error)
}

// PublicKey is the client's side, immutable as well.
type PublicKey interface {
	// RandomBlind returns an encoded scalar other than zero.
	RandomBlind(rand io.Reader) ([]byte, error)
	// Blind returns the blinded element for an input.
	Blind(input, blind []byte) ([]byte, error)
	// Finalize checks the proof over the whole batch, then returns the outputs.
	Finalize(inputs, blinds, blinded, evaluated [][]byte, proof []byte) ([][]byte, error)
}

func (s *suite[E, S]) ScalarSize() int { return s.scalarSize }
