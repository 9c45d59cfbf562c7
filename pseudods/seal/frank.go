package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var (
	// ErrTag: a message's tag does not commit its sender to the content.
	ErrTag = errors.New("seal: tag does not open")
	// ErrFrank: a service has not signed that this sender brought this tag.
	ErrFrank = errors.New("seal: frank does not verify")
)

// TagContent makes a content that is to be sent to a group in an epoch the
// application data of a message, and the tag to go with it. It fails only if rand
// does, or with [mls.ErrEncode] if the content is too long for any message.
func TagContent(rand io.Reader, group wire.GroupID, epoch uint64, content []byte) (wire.FrankingTag, []byte, error) {
	key := make([]byte, wire.FrankingKeySize)
	if _, err := io.ReadFull(rand, key); err != nil {
		return wire.FrankingTag{}, nil, err
	}
	c := &wire.FrankedContent{Key: secret.New(key), Content: content}
	data, err := mls.Marshal(c)
	if err != nil {
		return wire.FrankingTag{}, nil, err
	}
	tag, err := TagOf(group, epoch, c)
	return tag, data, err
}

// OpenTagged reads the application data of a message and checks that the tag
// beside it, the authenticated_data, opens. It fails with [ErrTag].
func OpenTagged(authenticatedData []byte, group wire.GroupID, epoch uint64, data []byte) (*wire.FrankedContent, error) {
	c := new(wire.FrankedContent)
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: len(data)}, data, c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTag, err)
	}
	tag, err := TagOf(group, epoch, c)
	if err != nil || !hmac.Equal(tag[:], authenticatedData) {
		return nil, ErrTag
	}
	return c, nil
}

// TagOf returns the one tag that a content has under its key in a group and an
// epoch: HMAC-SHA256 under the franking key. Nobody finds another key or content
// of the same tag, since all keys have one size, which is below the hash's block,
// and what is hashed has one reading. Without the key a tag says nothing of the
// content. It fails with [mls.ErrEncode].
func TagOf(group wire.GroupID, epoch uint64, c *wire.FrankedContent) (wire.FrankingTag, error) {
	if c.Key.Len() != wire.FrankingKeySize {
		return wire.FrankingTag{}, fmt.Errorf("%w: franking key", mls.ErrEncode)
	}
	var w tlscodec.Writer
	w.Opaque([]byte("pseudods 1.0 FrankingTag"))
	w.Raw(group[:])
	w.Uint64(epoch)
	w.Opaque(c.Content)
	b, err := w.Bytes()
	if err != nil {
		return wire.FrankingTag{}, err
	}
	h := hmac.New(sha256.New, c.Key.Reveal())
	h.Write(b)
	return wire.FrankingTag(h.Sum(nil)), nil
}

const frankLabel = "pseudods 1.0 Frank"

// Franked is what a frank says: that a member brought a message with a tag.
type Franked struct {
	Domain string // of the service
	Group  wire.GroupID
	Sender [sha256.Size]byte // see [wire.FrankedSender]
	Epoch  uint64            // of the message
	Tag    wire.FrankingTag
}

// TBS returns what is signed for a day (FrankTBS). It fails with [mls.ErrEncode].
func (f *Franked) TBS(day uint64) ([]byte, error) {
	var w tlscodec.Writer
	w.Opaque([]byte(f.Domain))
	w.Raw(f.Group[:])
	w.Raw(f.Sender[:])
	w.Uint64(f.Epoch)
	w.Uint64(day)
	w.Raw(f.Tag[:])
	return w.Bytes()
}

// Frank signs by an Ed25519 key of the service that takes the message.
func (f *Franked) Frank(signer *mls.SignatureKey, day uint64) (*wire.Frank, error) {
	tbs, err := f.TBS(day)
	if err != nil {
		return nil, err
	}
	sig, err := signer.SignWithLabel(frankLabel, tbs)
	if err != nil {
		return nil, err
	}
	out := &wire.Frank{Key: wire.FrankKeyIDOf(signer.Public()), Day: day}
	if len(sig) != len(out.Signature) {
		return nil, ErrKey
	}
	copy(out.Signature[:], sig)
	return out, nil
}

// Verify checks a frank by the key that it names, out of those of the service. It
// fails with [ErrFrank].
func (f *Franked) Verify(keys [][]byte, frank *wire.Frank) error {
	tbs, err := f.TBS(frank.Day)
	if err != nil {
		return err
	}
	s, err := mls.X25519AES128GCM.Suite() // of those with Ed25519
	if err != nil {
		return err
	}
	for _, k := range keys {
		if wire.FrankKeyIDOf(k) == frank.Key && s.VerifyWithLabel(k, frankLabel, tbs, frank.Signature[:]) == nil {
			return nil
		}
	}
	return ErrFrank
}
