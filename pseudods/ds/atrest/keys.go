package atrest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// KeySize is the size of group state keys and data keys in octets.
const KeySize = 32

var (
	// ErrKey: a wrapped key or link does not open. The group state key is not the
	// epoch's, or the store was tampered with.
	ErrKey = errors.New("atrest: key does not open")
	// ErrRecord: a record does not open: it was tampered with, or belongs to
	// another group, place or version.
	ErrRecord = errors.New("atrest: record does not open")
	// ErrGeneration: a record of a generation later than the keys, or of one whose
	// link is gone.
	ErrGeneration = errors.New("atrest: no key for the record's generation")
)

// Generation counts the data keys of a group from 0.
type Generation uint32

// Links gives the link of a generation, as [Keys.Next] returned it, or an error.
type Links func(Generation) ([]byte, error)

// Keys are the data keys of one group, as far as they are needed so far. They
// live for one request. Keys are not safe for concurrent use.
type Keys struct {
	groupID []byte
	newest  Generation
	links   Links
	data    map[Generation]secret.Bytes
}

func newKey(rand io.Reader) (secret.Bytes, error) {
	b := make([]byte, KeySize)
	if _, err := io.ReadFull(rand, b); err != nil {
		return secret.Bytes{}, err
	}
	return secret.New(b), nil
}

// New draws the data key of generation 0.
func New(groupID []byte, rand io.Reader) (*Keys, error) {
	k, err := newKey(rand)
	if err != nil {
		return nil, err
	}
	return &Keys{groupID: groupID, data: map[Generation]secret.Bytes{0: k}, links: noLinks}, nil
}

func noLinks(Generation) ([]byte, error) { return nil, ErrGeneration }

// Generation returns the newest generation, which [Keys.Seal] writes.
func (k *Keys) Generation() Generation { return k.newest }

// context encodes what a ciphertext is bound to.
func (k *Keys) context(purpose string, numbers ...uint64) []byte {
	var w tlscodec.Writer
	w.Opaque([]byte("pseudods 1.0 " + purpose))
	w.Opaque(k.groupID)
	for _, n := range numbers {
		w.Uint64(n)
	}
	b, err := w.Bytes()
	if err != nil {
		panic("atrest: context has no encoding")
	}
	return b
}

func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("atrest: key of a wrong size")
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic("atrest: " + err.Error())
	}
	return a
}

// wrapping derives the key that wraps from a group state key. The group state
// key itself encrypts nothing, so that it can serve other purposes later.
func wrapping(stateKey secret.Bytes) (cipher.AEAD, error) {
	if stateKey.Len() != KeySize {
		return nil, ErrKey
	}
	key, err := hkdf.Expand(sha256.New, stateKey.Reveal(), "pseudods 1.0 data key wrap", KeySize)
	if err != nil {
		return nil, err
	}
	return newAEAD(key), nil
}

func sealWith(a cipher.AEAD, rand io.Reader, plain, aad []byte) ([]byte, error) {
	nonce := make([]byte, a.NonceSize(), a.NonceSize()+len(plain)+a.Overhead())
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, err
	}
	return a.Seal(nonce, nonce, plain, aad), nil
}

func openWith(a cipher.AEAD, sealed, aad []byte) ([]byte, bool) {
	if len(sealed) < a.NonceSize() {
		return nil, false
	}
	plain, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], aad)
	return plain, err == nil
}

// Wrap encrypts the newest data key under the group state key of an epoch.
func (k *Keys) Wrap(rand io.Reader, stateKey secret.Bytes, epoch uint64) ([]byte, error) {
	a, err := wrapping(stateKey)
	if err != nil {
		return nil, err
	}
	return sealWith(a, rand, k.data[k.newest].Reveal(), k.context("wrap", epoch, uint64(k.newest)))
}

// Unwrap opens what [Keys.Wrap] made for the epoch and generation. It fails with
// [ErrKey], and takes the same time whether the group exists or not if the caller
// passes any wrapped key for one that does not.
func Unwrap(groupID []byte, stateKey secret.Bytes, epoch uint64, g Generation, wrapped []byte, links Links) (*Keys, error) {
	k := &Keys{groupID: groupID, newest: g, links: links, data: map[Generation]secret.Bytes{}}
	a, err := wrapping(stateKey)
	if err != nil {
		return nil, err
	}
	key, ok := openWith(a, wrapped, k.context("wrap", epoch, uint64(g)))
	if !ok || len(key) != KeySize {
		return nil, ErrKey
	}
	k.data[g] = secret.New(key)
	return k, nil
}

// Next begins a generation with a data key from rand and returns its keys with
// the link to store under its number. The old Keys stay as they are, for a commit
// that may yet fail.
//
// The link of generation g holds the data keys of g-1, g-2, g-4 and so on, sealed
// under g's own, so that the way to any earlier generation takes a number of steps
// that is logarithmic in the distance.
func (k *Keys) Next(rand io.Reader) (next *Keys, link []byte, err error) {
	if k.newest == 1<<32-1 {
		return nil, nil, ErrGeneration
	}
	fresh, err := newKey(rand)
	if err != nil {
		return nil, nil, err
	}
	g := k.newest + 1
	next = &Keys{groupID: k.groupID, newest: g, data: map[Generation]secret.Bytes{g: fresh}}
	var plain []byte
	for step := Generation(1); step <= g; step <<= 1 {
		old, err := k.key(g - step)
		if err != nil {
			return nil, nil, err
		}
		plain = append(plain, old.Reveal()...)
	}
	defer clear(plain)
	link, err = sealWith(newAEAD(fresh.Reveal()), rand, plain, next.context("link", uint64(g)))
	if err != nil {
		return nil, nil, err
	}
	links := k.links
	next.links = func(want Generation) ([]byte, error) {
		if want == g {
			return link, nil
		}
		return links(want)
	}
	return next, link, nil
}

// linkKeys is how many keys the link of a generation holds.
func linkKeys(g Generation) int { return bits.Len32(uint32(g)) }

// key returns the data key of generation g, following links from the newest.
func (k *Keys) key(g Generation) (secret.Bytes, error) {
	if g > k.newest {
		return secret.Bytes{}, ErrGeneration
	}
	for at := k.newest; ; {
		if key, ok := k.data[g]; ok {
			return key, nil
		}
		// The largest power of two that does not lead past g.
		i := bits.Len32(uint32(at-g)) - 1
		to := at - 1<<i
		if _, ok := k.data[to]; !ok {
			sealed, err := k.links(at)
			if err != nil {
				return secret.Bytes{}, fmt.Errorf("%w: %w", ErrGeneration, err)
			}
			keys, ok := openWith(newAEAD(k.data[at].Reveal()), sealed, k.context("link", uint64(at)))
			if !ok || len(keys) != KeySize*linkKeys(at) {
				return secret.Bytes{}, ErrKey
			}
			for j := 0; j*KeySize < len(keys); j++ {
				k.data[at-1<<j] = secret.Clone(keys[j*KeySize : (j+1)*KeySize])
			}
			clear(keys)
		}
		at = to
	}
}
