package wire

import (
	"crypto/sha256"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// QueueID names a queue at its queue service, see [QueueIDOf]. Only the queue's
// owner and that service know it.
type QueueID [16]byte

// AddressID names one of a queue's addresses. It is random and known to the
// queue's owner and its service.
type AddressID [16]byte

// QueueIDOf returns the identifier of the queue of an owner's Ed25519 key. As it
// follows from the key, nobody can take it first, and creating the queue again
// is the same request.
func QueueIDOf(ownerKey []byte) QueueID {
	return QueueID(labelledHash("pseudods 1.0 queue", ownerKey)[:16])
}

func labelledHash(label string, data []byte) []byte {
	h := sha256.Sum256(append(append([]byte{byte(len(label))}, label...), data...))
	return h[:]
}

// KEM is a key encapsulation mechanism of HPKE, by its number in the registry of
// RFC 9180, Section 7.1.
type KEM uint16

// The mechanisms of this protocol, each with HKDF-SHA256 and AES-256-GCM.
const (
	X25519 KEM = 0x0020
	XWing  KEM = 0x647A // ML-KEM-768 with X25519
)

// sizes returns the lengths of public key and KEM output in octets, or zeros.
func (k KEM) sizes() (public, output int) {
	switch k {
	case X25519:
		return 32, 32
	case XWing:
		return 1216, 1120
	}
	return 0, 0
}

// HPKEKey is a public key of one of the mechanisms.
type HPKEKey struct {
	KEM    KEM
	Public []byte
}

// MarshalTLS encodes k.
func (k *HPKEKey) MarshalTLS(w *tlscodec.Writer) {
	if n, _ := k.KEM.sizes(); n == 0 || n != len(k.Public) {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Uint16(uint16(k.KEM))
	w.Raw(k.Public)
}

// UnmarshalTLS decodes k.
func (k *HPKEKey) UnmarshalTLS(r *tlscodec.Reader) {
	k.KEM = KEM(r.Uint16())
	n, _ := k.KEM.sizes()
	if r.Err() == nil && n == 0 {
		r.Fail(fmt.Errorf("%w: KEM", tlscodec.ErrValue))
	}
	k.Public = r.Fixed(n)
}

// AddressKeyID is the beginning of the hash of an address key.
type AddressKeyID [8]byte

// ID returns the key's identifier.
func (k *HPKEKey) ID() AddressKeyID {
	b := append([]byte{byte(k.KEM >> 8), byte(k.KEM)}, k.Public...)
	return AddressKeyID(labelledHash("pseudods 1.0 address key", b)[:8])
}

// AddressKey is a key of a queue service to which queue owners seal addresses.
type AddressKey struct {
	Key HPKEKey
	// SealUntil and OpenUntil are in seconds since the Unix epoch. After the
	// first no new address should be sealed to the key; after the second the
	// service has deleted it, and addresses sealed to it are dead. Owners replace
	// them before that.
	SealUntil, OpenUntil uint64
}

// AddressKeys is the answer to [OpAddressKeys], the key to use first. The
// request's body is empty.
type AddressKeys []AddressKey

// MarshalTLS encodes ks.
func (ks *AddressKeys) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for i := range *ks {
			k := &(*ks)[i]
			k.Key.MarshalTLS(w)
			w.Uint64(k.SealUntil)
			w.Uint64(k.OpenUntil)
		}
	})
}

// UnmarshalTLS decodes ks.
func (ks *AddressKeys) UnmarshalTLS(r *tlscodec.Reader) {
	*ks = nil
	r.Vector(func(r *tlscodec.Reader) {
		var k AddressKey
		k.Key.UnmarshalTLS(r)
		k.SealUntil = r.Uint64()
		k.OpenUntil = r.Uint64()
		*ks = append(*ks, k)
	})
}

// AddressKind says how an address may be used.
type AddressKind uint8

const (
	// AddressBound is for one group at one delivery service: both are in what
	// the ciphertext authenticates.
	AddressBound AddressKind = 1
	// AddressOneTime stands in a KeyPackage. The queue service binds it to the
	// group that uses it first, and it is dead for all others.
	AddressOneTime AddressKind = 2
	// AddressReusable stands in a last-resort KeyPackage or a contact card. Each
	// group or sender that uses it gets a stream of its own.
	AddressReusable AddressKind = 3
)

// SealedAddress is a queue address as all but its owner and the queue service
// see it.
type SealedAddress struct {
	Kind       AddressKind
	KeyID      AddressKeyID
	KEMOutput  []byte
	Ciphertext []byte // of queue and address identifier, 48 octets
}

// AddressCiphertextSize is the size of what is sealed in an address, in octets.
const AddressCiphertextSize = len(QueueID{}) + len(AddressID{}) + 16

// MarshalTLS encodes a.
func (a *SealedAddress) MarshalTLS(w *tlscodec.Writer) {
	if a.Kind < AddressBound || a.Kind > AddressReusable || len(a.KEMOutput) == 0 || len(a.Ciphertext) != AddressCiphertextSize {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Uint8(uint8(a.Kind))
	w.Raw(a.KeyID[:])
	w.Opaque(a.KEMOutput)
	w.Raw(a.Ciphertext)
}

// UnmarshalTLS decodes a.
func (a *SealedAddress) UnmarshalTLS(r *tlscodec.Reader) {
	a.Kind = AddressKind(r.Uint8())
	copy(a.KeyID[:], r.Fixed(len(a.KeyID)))
	a.KEMOutput = r.Opaque()
	a.Ciphertext = r.Fixed(AddressCiphertextSize)
	if r.Err() == nil && (a.Kind < AddressBound || a.Kind > AddressReusable || len(a.KEMOutput) == 0) {
		r.Fail(fmt.Errorf("%w: sealed address", tlscodec.ErrValue))
	}
}

// NonceSizeAddress is the size of an address's nonce in octets.
const NonceSizeAddress = 16

// QueueAddress is what a delivery service keeps of a member's queue.
type QueueAddress struct {
	// Domain is the queue service's.
	Domain string
	Sealed SealedAddress
	// Nonce is random for each address. Binding and group are hashed with it, so
	// that the queue service cannot try group identifiers.
	Nonce [NonceSizeAddress]byte
}

// MarshalTLS encodes a.
func (a *QueueAddress) MarshalTLS(w *tlscodec.Writer) {
	writeDomain(w, a.Domain)
	a.Sealed.MarshalTLS(w)
	w.Raw(a.Nonce[:])
}

// UnmarshalTLS decodes a.
func (a *QueueAddress) UnmarshalTLS(r *tlscodec.Reader) {
	a.Domain = readDomain(r)
	a.Sealed.UnmarshalTLS(r)
	copy(a.Nonce[:], r.Fixed(len(a.Nonce)))
}

func writeDomain(w *tlscodec.Writer, domain string) {
	if len(domain) == 0 || len(domain) > maxDomain {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Opaque([]byte(domain))
}

func readDomain(r *tlscodec.Reader) string {
	domain := r.Opaque()
	if r.Err() == nil && (len(domain) == 0 || len(domain) > maxDomain) {
		r.Fail(fmt.Errorf("%w: domain", tlscodec.ErrValue))
	}
	return string(domain)
}

// ExtensionQueueAddress is the type of the KeyPackage extension that holds a
// [KeyPackageAddress]; it is from the private-use range of RFC 9420, Section
// 17.3.
const ExtensionQueueAddress mls.ExtensionType = 0xF0D1

// KeyPackageAddress tells who adds a client where its Welcome goes. It is an
// extension of the KeyPackage, not of its leaf, so that members do not see it.
type KeyPackageAddress struct {
	// Address is of kind [AddressOneTime], or [AddressReusable] in a last-resort
	// KeyPackage.
	Address QueueAddress
	// WelcomeKey is an X25519 key. The entry of the Welcome is sealed to it, as
	// the joiner learns its delivery secret only from the Welcome's join info.
	WelcomeKey [32]byte
}

// MarshalTLS encodes a.
func (a *KeyPackageAddress) MarshalTLS(w *tlscodec.Writer) {
	a.Address.MarshalTLS(w)
	w.Raw(a.WelcomeKey[:])
}

// UnmarshalTLS decodes a.
func (a *KeyPackageAddress) UnmarshalTLS(r *tlscodec.Reader) {
	a.Address.UnmarshalTLS(r)
	copy(a.WelcomeKey[:], r.Fixed(len(a.WelcomeKey)))
	if r.Err() == nil && a.Address.Sealed.Kind == AddressBound {
		r.Fail(fmt.Errorf("%w: bound address in a KeyPackage", tlscodec.ErrValue))
	}
}

// ExtensionLinkKey is the type of the KeyPackage extension that holds a
// [SealedLinkKey]; it is from the private-use range of RFC 9420, Section 17.3.
const ExtensionLinkKey mls.ExtensionType = 0xF0D3

// LinkKeySize is the size of the key of an identity link in octets.
const LinkKeySize = 32

// SealedLinkKeySize is the size of a [SealedLinkKey] in octets.
const SealedLinkKeySize = 24 + LinkKeySize + 16

// SealedLinkKey is the key of the identity link in a KeyPackage's credential,
// sealed for the user's contacts, see package identity.
type SealedLinkKey [SealedLinkKeySize]byte

// MarshalTLS encodes k.
func (k *SealedLinkKey) MarshalTLS(w *tlscodec.Writer) { w.Raw(k[:]) }

// UnmarshalTLS decodes k.
func (k *SealedLinkKey) UnmarshalTLS(r *tlscodec.Reader) { copy(k[:], r.Fixed(SealedLinkKeySize)) }
