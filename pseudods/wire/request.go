package wire

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// Version is the version of this protocol.
type Version uint16

// Version1 is the only version there is.
const Version1 Version = 1

// Sizes in octets.
const (
	NonceSize         = 16
	GroupStateKeySize = 32
	maxDomain         = 253 // RFC 1035, Section 2.3.4, without the trailing dot
)

// ErrMalformed is the family of decoding errors.
var ErrMalformed = tlscodec.ErrMalformed

// ErrVersion: a request or response of a version this code does not speak.
var ErrVersion = errors.New("wire: unsupported version")

// AuthType says who signed a [Request].
type AuthType uint8

const (
	// AuthNone: nobody. Only operations that change nothing, or that a token
	// pays for, take it.
	AuthNone AuthType = 0
	// AuthLeaf: a member, by the signature key of its leaf.
	AuthLeaf AuthType = 1
	// AuthJoiner: a newcomer, by the signature key of the KeyPackage it is
	// welcomed by or the leaf it brings.
	AuthJoiner AuthType = 2
	// AuthUser: a user, by the UserAuthKey of its clients' [PseudonymousCredential],
	// which is an Ed25519 key whatever the group's suite. It signs an [OpRejoin]:
	// the leaf that comes with the commit has a new signature key, and everybody
	// in the group can write the credential.
	AuthUser AuthType = 3
	// AuthQueue: the owner of a queue or of a KeyPackage pool, by the key it was
	// created with.
	AuthQueue AuthType = 4
	// AuthService: another service, by a key that its provider document names.
	AuthService AuthType = 5
)

// Auth is the authentication of a [Request].
type Auth struct {
	Type AuthType
	// Leaf is the signer's leaf, for AuthLeaf.
	Leaf mls.LeafIndex
	// KeyID names the signer's key: a KeyPackageRef for AuthJoiner, SHA-256 of
	// the public key for AuthUser and AuthService. AuthQueue needs none, since
	// the body names the queue.
	KeyID []byte
	// Signature is over [Request.TBS], for all but AuthNone.
	Signature []byte
}

// Request is what a client or service asks of another.
type Request struct {
	// RecipientDomain is the domain of the service that shall act; no other
	// does.
	RecipientDomain string
	Operation       Operation
	Body            []byte
	// GroupStateKey opens the group's records at rest. The service uses it for
	// this request and forgets it. It is absent from requests that need none.
	GroupStateKey secret.Bytes
	// ExpiresAt is in seconds since the Unix epoch. After it the request is
	// refused; until then its nonce is remembered.
	ExpiresAt uint64
	Nonce     [NonceSize]byte
	// Tokens are encoded Privacy Pass tokens that pay for the operation.
	Tokens [][]byte
	Auth   Auth
}

// SignatureLabel is the label under which [Request.TBS] is signed, by the
// SignWithLabel of RFC 9420 with the suite of the group, or Ed25519 where there
// is no group, and for AuthUser.
const SignatureLabel = "pseudods 1.0 Request"

func (r *Request) marshalContent(w *tlscodec.Writer) {
	w.Uint16(uint16(Version1))
	if len(r.RecipientDomain) == 0 || len(r.RecipientDomain) > maxDomain {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Opaque([]byte(r.RecipientDomain))
	w.Uint16(uint16(r.Operation))
	w.Opaque(r.Body)
	w.Bool(!r.GroupStateKey.IsZero())
	if !r.GroupStateKey.IsZero() {
		if r.GroupStateKey.Len() != GroupStateKeySize {
			w.Fail(tlscodec.ErrEncode)
		}
		w.Raw(r.GroupStateKey.Reveal())
	}
	w.Uint64(r.ExpiresAt)
	w.Raw(r.Nonce[:])
	w.Vector(func(w *tlscodec.Writer) {
		for _, t := range r.Tokens {
			w.Opaque(t)
		}
	})
	w.Uint8(uint8(r.Auth.Type))
	switch r.Auth.Type {
	case AuthNone, AuthQueue:
	case AuthLeaf:
		w.Uint32(uint32(r.Auth.Leaf))
	case AuthJoiner, AuthUser, AuthService:
		w.Opaque(r.Auth.KeyID)
	default:
		w.Fail(tlscodec.ErrEncode)
	}
}

// MarshalTLS encodes r.
func (r *Request) MarshalTLS(w *tlscodec.Writer) {
	r.marshalContent(w)
	if r.Auth.Type != AuthNone {
		w.Opaque(r.Auth.Signature)
	}
}

// UnmarshalTLS decodes r.
func (r *Request) UnmarshalTLS(d *tlscodec.Reader) {
	if v := Version(d.Uint16()); d.Err() == nil && v != Version1 {
		d.Fail(ErrVersion)
	}
	*r = Request{}
	domain := d.Opaque()
	if d.Err() == nil && (len(domain) == 0 || len(domain) > maxDomain) {
		d.Fail(fmt.Errorf("%w: recipient domain", tlscodec.ErrValue))
	}
	r.RecipientDomain = string(domain)
	r.Operation = Operation(d.Uint16())
	r.Body = d.Opaque()
	if d.Bool() {
		r.GroupStateKey = secret.Clone(d.Fixed(GroupStateKeySize))
	}
	r.ExpiresAt = d.Uint64()
	copy(r.Nonce[:], d.Fixed(NonceSize))
	d.Vector(func(d *tlscodec.Reader) { r.Tokens = append(r.Tokens, d.Opaque()) })
	r.Auth.Type = AuthType(d.Uint8())
	switch r.Auth.Type {
	case AuthNone:
		return
	case AuthQueue:
	case AuthLeaf:
		r.Auth.Leaf = mls.LeafIndex(d.Uint32())
	case AuthJoiner, AuthUser, AuthService:
		r.Auth.KeyID = d.Opaque()
	default:
		d.Fail(fmt.Errorf("%w: authentication type", tlscodec.ErrValue))
	}
	r.Auth.Signature = d.Opaque()
}

// content lets the part of a request that is signed be encoded by itself.
type content struct{ *Request }

func (c content) MarshalTLS(w *tlscodec.Writer) { c.marshalContent(w) }

// TBS returns what is signed: everything but the signature. It fails with
// [mls.ErrEncode] if a field has no encoding.
func (r *Request) TBS() ([]byte, error) { return mls.Marshal(content{r}) }

// Digest is the hash of an encoded request. A retry is the same request if its
// digest is the same; a token spent on one request is spent for all others.
func Digest(encoded []byte) [sha256.Size]byte { return sha256.Sum256(encoded) }

// ParseRequest decodes a request of at most maxBytes octets. It fails with
// [ErrVersion] or [ErrMalformed].
func ParseRequest(data []byte, maxBytes int) (*Request, error) {
	r := new(Request)
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: maxBytes, MaxElements: 256, MaxDepth: 4}, data, r); err != nil {
		return nil, err
	}
	return r, nil
}
