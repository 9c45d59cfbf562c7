package mls

import (
	"errors"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// PrivateMessage is an encrypted message (RFC 9420, Section 6.3).
type PrivateMessage struct {
	GroupID             []byte
	Epoch               uint64
	ContentType         ContentType
	AuthenticatedData   []byte
	EncryptedSenderData []byte
	Ciphertext          []byte
}

// MarshalTLS encodes m.
func (m *PrivateMessage) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(m.GroupID)
	w.Uint64(m.Epoch)
	w.Uint8(uint8(m.ContentType))
	w.Opaque(m.AuthenticatedData)
	w.Opaque(m.EncryptedSenderData)
	w.Opaque(m.Ciphertext)
}

// UnmarshalTLS decodes m.
func (m *PrivateMessage) UnmarshalTLS(r *tlscodec.Reader) {
	*m = PrivateMessage{GroupID: r.Opaque(), Epoch: r.Uint64(), ContentType: ContentType(r.Uint8()),
		AuthenticatedData: r.Opaque(), EncryptedSenderData: r.Opaque(), Ciphertext: r.Opaque()}
	if m.ContentType < ContentTypeApplication || m.ContentType > ContentTypeCommit {
		r.Fail(tlscodec.ErrValue)
	}
}

func (m *PrivateMessage) contentAAD() []byte {
	var w tlscodec.Writer
	w.Opaque(m.GroupID)
	w.Uint64(m.Epoch)
	w.Uint8(uint8(m.ContentType))
	w.Opaque(m.AuthenticatedData)
	b, err := w.Bytes()
	if err != nil {
		panic("mls: PrivateContentAAD has no encoding")
	}
	return b
}

func (m *PrivateMessage) senderAAD() []byte {
	var w tlscodec.Writer
	w.Opaque(m.GroupID)
	w.Uint64(m.Epoch)
	w.Uint8(uint8(m.ContentType))
	b, err := w.Bytes()
	if err != nil {
		panic("mls: SenderDataAAD has no encoding")
	}
	return b
}

// SenderData says which key a PrivateMessage is encrypted under (RFC 9420,
// Section 6.3.2).
type SenderData struct {
	Leaf       LeafIndex
	Generation uint32
	ReuseGuard [4]byte
}

// MarshalTLS encodes d.
func (d *SenderData) MarshalTLS(w *tlscodec.Writer) {
	w.Uint32(uint32(d.Leaf))
	w.Uint32(d.Generation)
	w.Raw(d.ReuseGuard[:])
}

// UnmarshalTLS decodes d.
func (d *SenderData) UnmarshalTLS(r *tlscodec.Reader) {
	d.Leaf = LeafIndex(r.Uint32())
	d.Generation = r.Uint32()
	copy(d.ReuseGuard[:], r.Fixed(4))
}

// senderDataKeyNonce samples the ciphertext, so that a message key that is used
// twice still encrypts its sender data differently (RFC 9420, Section 6.3.2).
func (s *Suite) senderDataKeyNonce(senderData secret.Bytes, ciphertext []byte) (key, nonce []byte) {
	sample := ciphertext[:min(len(ciphertext), s.HashSize())]
	return s.ExpandWithLabel(senderData, "key", sample, s.keySize).Reveal(),
		s.ExpandWithLabel(senderData, "nonce", sample, nonceSize).Reveal()
}

func guardedNonce(nonce secret.Bytes, guard [4]byte) []byte {
	n := append([]byte(nil), nonce.Reveal()...)
	for i, g := range guard {
		n[i] ^= g
	}
	return n
}

// ErrPadding: a decrypted message is padded with something else than zeros.
var ErrPadding = errors.New("mls: padding is not zero")

// SealPrivateMessage encrypts a member's signed content under the next key of
// its ratchet, which is consumed (RFC 9420, Section 6.3). The content is padded
// with zeros to a multiple of padTo octets; 0 or 1 means no padding. rand gives
// the reuse guard.
func SealPrivateMessage(s *Suite, a *AuthenticatedContent, keys *SecretTree, senderData secret.Bytes, padTo int, rand io.Reader) (*PrivateMessage, error) {
	c := &a.Content
	m := &PrivateMessage{GroupID: c.GroupID, Epoch: c.Epoch, ContentType: c.ContentType, AuthenticatedData: c.AuthenticatedData}

	var w tlscodec.Writer
	c.marshalContent(&w)
	a.marshalAuth(&w)
	plain, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: PrivateMessageContent: %w", ErrEncode, err)
	}
	if padTo > 1 {
		plain = append(plain, make([]byte, (padTo-len(plain)%padTo)%padTo)...)
	}
	key, err := keys.Next(c.Sender.Leaf, c.ContentType)
	if err != nil {
		return nil, err
	}
	sd := SenderData{Leaf: c.Sender.Leaf, Generation: key.Generation}
	if _, err := io.ReadFull(rand, sd.ReuseGuard[:]); err != nil {
		return nil, err
	}
	m.Ciphertext = s.Seal(key.Key.Reveal(), guardedNonce(key.Nonce, sd.ReuseGuard), m.contentAAD(), plain)
	keys.Consume(key)

	sdKey, sdNonce := s.senderDataKeyNonce(senderData, m.Ciphertext)
	m.EncryptedSenderData = s.Seal(sdKey, sdNonce, m.senderAAD(), mustMarshal(&sd))
	return m, nil
}

// OpenSenderData decrypts m's sender data. It fails with [ErrDecrypt] or
// [ErrMalformed].
func (m *PrivateMessage) OpenSenderData(s *Suite, senderData secret.Bytes) (*SenderData, error) {
	key, nonce := s.senderDataKeyNonce(senderData, m.Ciphertext)
	b, err := s.Open(key, nonce, m.senderAAD(), m.EncryptedSenderData)
	if err != nil {
		return nil, fmt.Errorf("sender data: %w", err)
	}
	sd := new(SenderData)
	if err := Unmarshal(b, sd); err != nil {
		return nil, err
	}
	return sd, nil
}

// Open decrypts m with the key that its sender data names, without consuming
// it: the caller does so by [SecretTree.Consume] after it has verified the
// signature. Errors are those of [SecretTree.Lookup], [ErrDecrypt],
// [ErrMalformed] and [ErrPadding].
func (m *PrivateMessage) Open(s *Suite, keys *SecretTree, sd *SenderData) (*AuthenticatedContent, *MessageKey, error) {
	key, err := keys.Lookup(sd.Leaf, m.ContentType, sd.Generation)
	if err != nil {
		return nil, nil, err
	}
	plain, err := s.Open(key.Key.Reveal(), guardedNonce(key.Nonce, sd.ReuseGuard), m.contentAAD(), m.Ciphertext)
	if err != nil {
		return nil, nil, fmt.Errorf("content: %w", err)
	}
	a := &AuthenticatedContent{WireFormat: WireFormatPrivateMessage, Content: FramedContent{
		GroupID: m.GroupID, Epoch: m.Epoch, AuthenticatedData: m.AuthenticatedData, ContentType: m.ContentType,
		Sender: Sender{Type: SenderTypeMember, Leaf: sd.Leaf},
	}}
	r := tlscodec.NewReader(plain, Limits{})
	a.Content.unmarshalContent(r)
	a.unmarshalAuth(r)
	padding := r.Rest()
	if err := r.Finish(); err != nil {
		return nil, nil, fmt.Errorf("mls: PrivateMessageContent: %w", err)
	}
	for _, b := range padding {
		if b != 0 {
			return nil, nil, ErrPadding
		}
	}
	return a, key, nil
}
