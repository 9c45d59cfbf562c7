package ds

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"sync"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// A request that changes a group leaves two records in the same step: the answer
// under the hash of the nonce, sealed under a key that follows from the request,
// and when it may go, sealed under the service's key. So a repeated request gets
// its answer, also if the group's keys are others by now, and another request
// with the nonce is known as such; both outlive a restart. The store shows
// neither nonce, request nor time.

func nonceKey(nonce [wire.NonceSize]byte) []byte {
	h := sha256.Sum256(append([]byte("pseudods 1.0 nonce"), nonce[:]...))
	return append([]byte{keyNonce}, h[:nameSize]...)
}

func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("ds: AES key of a wrong size")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("ds: GCM refused AES")
	}
	return aead
}

// answerAEAD derives a key that seals one answer.
func answerAEAD(digest [32]byte) cipher.AEAD {
	h := sha256.Sum256(append([]byte("pseudods 1.0 answer"), digest[:]...))
	return newGCM(h[:])
}

var zeroNonce [12]byte // for keys that are used once

// answered returns the answer to the same request if there was one. It fails
// with a [wire.Error] if another one had the nonce.
func (s *session) answered(nonce [wire.NonceSize]byte, digest [32]byte) (body []byte, ok bool, err error) {
	if s.base == 0 {
		return nil, false, nil
	}
	sealed, err := s.get(nonceKey(nonce))
	if err != nil || sealed == nil {
		return nil, false, err
	}
	body, err = answerAEAD(digest).Open(nil, zeroNonce[:], sealed, s.id[:])
	if err != nil {
		return nil, false, &wire.Error{Code: wire.CodeReplayed}
	}
	return body, true, nil
}

// maxExpired is how many old answers a request removes.
const maxExpired = 2

// remember puts the answer to a request into the batch, and removes some that
// expired.
func (s *Service) remember(g *session, r *wire.Request, digest [32]byte, answer []byte) error {
	key := nonceKey(r.Nonce)
	g.putPlain(key, answerAEAD(digest).Seal(nil, zeroNonce[:], answer, g.id[:]))
	expiry := number64(keyExpiry, g.base+1)
	sealed, err := s.seal(g.id, expiry, binary.BigEndian.AppendUint64(key, r.ExpiresAt))
	if err != nil {
		return err
	}
	g.putPlain(expiry, sealed)
	from, now := []byte{keyExpiry}, uint64(s.cfg.Now().Unix())
	for range maxExpired {
		if g.base == 0 || s.young.until(g.id) >= now {
			break
		}
		found, err := g.read(Lookup{Key: from, Prefix: 1})
		if err != nil || found[0].Key == nil {
			return err
		}
		b, ok := s.open(g.id, found[0].Key, found[0].Value)
		if ok && len(b) == 1+nameSize+8 {
			if expires := binary.BigEndian.Uint64(b[1+nameSize:]); expires >= now {
				s.young.set(g.id, expires)
				return nil
			}
			g.delete(b[:1+nameSize])
		}
		g.delete(found[0].Key)
		from = append(found[0].Key, 0)
	}
	return nil
}

// young remembers when the oldest answers of groups expire, so that not every
// request has to read them. Others of a group may expire sooner, and then stay
// until that one does, minutes later at most.
type young struct {
	// mu guards expires.
	mu      sync.Mutex
	expires map[wire.GroupID]uint64
}

// maxYoung is how many groups are remembered at once.
const maxYoung = 1 << 16

func (y *young) until(g wire.GroupID) uint64 {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.expires[g]
}

func (y *young) set(g wire.GroupID, expires uint64) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.expires == nil || len(y.expires) >= maxYoung {
		y.expires = map[wire.GroupID]uint64{}
	}
	y.expires[g] = expires
}

// derive gives a key of the service for one purpose and context.
func (s *Service) derive(purpose string, context ...[]byte) []byte {
	h := hmac.New(sha256.New, s.cfg.Key.Reveal())
	h.Write([]byte("pseudods 1.0 " + purpose))
	for _, c := range context {
		h.Write([]byte{byte(len(c))})
		h.Write(c)
	}
	return h.Sum(nil)
}

// seal encrypts what stands at a place of a group under the service's key.
func (s *Service) seal(group wire.GroupID, place, plain []byte) ([]byte, error) {
	salt := make([]byte, 16, 16+len(plain)+16)
	if _, err := io.ReadFull(s.cfg.Rand, salt); err != nil {
		return nil, err
	}
	return newGCM(s.derive("record", salt, group[:], place)).Seal(salt, zeroNonce[:], plain, nil), nil
}

func (s *Service) open(group wire.GroupID, place, sealed []byte) ([]byte, bool) {
	if len(sealed) < 16 {
		return nil, false
	}
	plain, err := newGCM(s.derive("record", sealed[:16], group[:], place)).Open(nil, zeroNonce[:], sealed[16:], nil)
	return plain, err == nil
}
