package seal

import (
	"crypto/sha256"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const offerInfo = "pseudods 1.0 connection offer"

// SealOffer encrypts a contact to the holder of a card, padded. The ciphertext
// is bound to the card's address, so that it cannot be sent on to another. It
// fails with [ErrKey], [ErrTooLarge] or [mls.ErrEncode].
func SealOffer(card *wire.ContactCard, c *wire.Contact) ([]byte, error) {
	plaintext, err := mls.Marshal(c)
	if err != nil {
		return nil, err
	}
	padded, err := pad(plaintext)
	if err != nil {
		return nil, err
	}
	aad, err := mls.Marshal(&card.Address)
	if err != nil {
		return nil, err
	}
	kemOutput, ciphertext, err := sealTo(&card.OfferKey, offerInfo, aad, padded)
	if err != nil {
		return nil, err
	}
	var w tlscodec.Writer
	w.Opaque(kemOutput)
	w.Raw(ciphertext)
	return w.Bytes()
}

// OpenOffer opens what [SealOffer] made for one's own card. It fails with
// [ErrOpen] or [wire.ErrMalformed].
func OpenOffer(key *PrivateKey, card *wire.ContactCard, offer []byte) (*wire.Contact, error) {
	r := tlscodec.NewReader(offer, tlscodec.Limits{})
	kemOutput, ciphertext := r.Opaque(), r.Rest()
	if err := r.Finish(); err != nil {
		return nil, err
	}
	aad, err := mls.Marshal(&card.Address)
	if err != nil {
		return nil, err
	}
	padded, err := key.open(offerInfo, aad, kemOutput, ciphertext)
	if err != nil {
		return nil, err
	}
	plaintext, err := unpad(padded)
	if err != nil {
		return nil, err
	}
	c := new(wire.Contact)
	if err := mls.Unmarshal(plaintext, c); err != nil {
		return nil, err
	}
	return c, nil
}

// OfferHash names an offer in the contact that accepts it.
func OfferHash(offer []byte) []byte {
	h := sha256.Sum256(append([]byte("pseudods 1.0 offer hash"), offer...))
	return h[:]
}
