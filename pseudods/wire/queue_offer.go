package wire

import (
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// ContactCard is what a user hands out so that others can ask for contact: on
// paper, as a link, or through a directory. Whoever has it can send one offer
// for each token that the queue service asks for.
type ContactCard struct {
	// Domain is the queue service's.
	Domain string
	// Address is of kind [AddressReusable]. Revoking it ends the card.
	Address SealedAddress
	// OfferKey is what offers are encrypted to; only the card uses it.
	OfferKey HPKEKey
	// Pools are the user's connection pools, one for each client. There may be
	// none.
	Pools []PoolID
	// PackageKey opens the KeyPackages of these pools, see package seal.
	PackageKey [PackageKeySize]byte
	// Identity says whose card it is: a credential that the services do not
	// interpret and never see, as the card does not pass through them.
	Identity []byte
	// Signature is by the key of Identity over [ContactCard.TBS].
	Signature []byte
}

func (c *ContactCard) marshalContent(w *tlscodec.Writer) {
	w.Uint16(uint16(Version1))
	writeDomain(w, c.Domain)
	c.Address.MarshalTLS(w)
	c.OfferKey.MarshalTLS(w)
	writePools(w, c.Pools)
	w.Raw(c.PackageKey[:])
	w.Opaque(c.Identity)
}

// MarshalTLS encodes c.
func (c *ContactCard) MarshalTLS(w *tlscodec.Writer) {
	c.marshalContent(w)
	w.Opaque(c.Signature)
}

// UnmarshalTLS decodes c.
func (c *ContactCard) UnmarshalTLS(r *tlscodec.Reader) {
	if v := Version(r.Uint16()); r.Err() == nil && v != Version1 {
		r.Fail(ErrVersion)
	}
	*c = ContactCard{Domain: readDomain(r)}
	c.Address.UnmarshalTLS(r)
	c.OfferKey.UnmarshalTLS(r)
	c.Pools = readPools(r)
	copy(c.PackageKey[:], r.Fixed(PackageKeySize))
	c.Identity = r.Opaque()
	c.Signature = r.Opaque()
}

// ContactCardLabel is the label under which a card is signed.
const ContactCardLabel = "pseudods 1.0 ContactCard"

// TBS returns what the card's signature is over: label and all other fields.
func (c *ContactCard) TBS() ([]byte, error) {
	var w tlscodec.Writer
	w.Opaque([]byte(ContactCardLabel))
	c.marshalContent(&w)
	return w.Bytes()
}

// ConnectionRequest is the body of [OpConnectionRequest], which nobody signs and
// tokens pay for. The answer is empty; it is the same whether the address is
// known, revoked, or its queue full.
type ConnectionRequest struct {
	Address SealedAddress
	// Offer is a [Contact], encrypted to the card's key by package seal.
	Offer []byte
}

// MarshalTLS encodes c.
func (c *ConnectionRequest) MarshalTLS(w *tlscodec.Writer) {
	c.Address.MarshalTLS(w)
	w.Opaque(c.Offer)
}

// UnmarshalTLS decodes c.
func (c *ConnectionRequest) UnmarshalTLS(r *tlscodec.Reader) {
	c.Address.UnmarshalTLS(r)
	c.Offer = r.Opaque()
}

// ContactToken lets a contact fetch KeyPackages for adding a user to groups.
// Users make one for each contact and register its hash, see [AllowContact].
type ContactToken struct{ secret.Bytes }

// PackageKeySize is the size in octets of the key that opens a pool's
// KeyPackages.
const PackageKeySize = 32

// LinkWrapSize is the size of [Contact].LinkWrap in octets.
const LinkWrapSize = 32

// ContactTokenSize is the size of a [ContactToken] in octets.
const ContactTokenSize = 32

func (t *ContactToken) write(w *tlscodec.Writer) {
	if t.Len() != ContactTokenSize {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Raw(t.Reveal())
}

func (t *ContactToken) read(r *tlscodec.Reader) {
	t.Bytes = secret.Clone(r.Fixed(ContactTokenSize))
}

// Contact is what an offer of connection holds, and what its acceptance holds:
// the acceptance is an offer sent to the card in the first.
type Contact struct {
	// Card is the sender's own, for the answer and for later.
	Card ContactCard
	// Version grows from offer to offer of a sender to one receiver, who ignores one
	// that is not newer than what it knows.
	Version uint64
	// Token and Pools let the receiver add the sender to groups. Who offers may
	// leave Pools empty and grant them after acceptance.
	Token ContactToken
	Pools []PoolID
	// LinkWrap opens the KeyPackages in Pools and the [SealedLinkKey] in each, so
	// that who adds the sender to a group sees whom it adds. LinkWrapSize octets.
	LinkWrap secret.Bytes
	// Accepts is the hash of the offer that this answers, or empty.
	Accepts []byte
	// Content is the application's, such as a greeting or a group to join.
	Content []byte
	// Signature is by the key of the card's identity over [Contact.TBS]: whoever
	// has the card could make offers in its holder's name otherwise.
	Signature []byte
}

func (c *Contact) marshalContent(w *tlscodec.Writer) {
	c.Card.MarshalTLS(w)
	w.Uint64(c.Version)
	c.Token.write(w)
	writePools(w, c.Pools)
	writeSecret(w, c.LinkWrap, LinkWrapSize)
	w.Opaque(c.Accepts)
	w.Opaque(c.Content)
}

// MarshalTLS encodes c.
func (c *Contact) MarshalTLS(w *tlscodec.Writer) {
	c.marshalContent(w)
	w.Opaque(c.Signature)
}

// UnmarshalTLS decodes c.
func (c *Contact) UnmarshalTLS(r *tlscodec.Reader) {
	*c = Contact{}
	c.Card.UnmarshalTLS(r)
	c.Version = r.Uint64()
	c.Token.read(r)
	c.Pools = readPools(r)
	c.LinkWrap = secret.Clone(r.Fixed(LinkWrapSize))
	c.Accepts = r.Opaque()
	c.Content = r.Opaque()
	c.Signature = r.Opaque()
}

// ContactLabel is the label under which an offer is signed.
const ContactLabel = "pseudods 1.0 Contact"

// TBS returns what the signature of an offer to the holder of a card is over:
// label, the card's address and offer key, and all other fields. So the receiver
// cannot pass the offer on to another in the sender's name.
func (c *Contact) TBS(to *ContactCard) ([]byte, error) {
	var w tlscodec.Writer
	w.Opaque([]byte(ContactLabel))
	to.Address.MarshalTLS(&w)
	to.OfferKey.MarshalTLS(&w)
	c.marshalContent(&w)
	return w.Bytes()
}

func writePools(w *tlscodec.Writer, pools []PoolID) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, p := range pools {
			w.Raw(p[:])
		}
	})
}

func readPools(r *tlscodec.Reader) (out []PoolID) {
	r.Vector(func(r *tlscodec.Reader) {
		var p PoolID
		copy(p[:], r.Fixed(len(p)))
		out = append(out, p)
	})
	return out
}
