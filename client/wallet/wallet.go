package wallet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/pseudods/pseudods/internal/filelock"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/tokens"
)

// The errors of this package, beside [ErrFile] and those of the file system.
// After an error the wallet is as before, unless it says otherwise.
var (
	// ErrEmpty: too few tokens of the class. [Wallet.Refill] may help.
	ErrEmpty = errors.New("wallet: too few tokens")
	// ErrClass: [Wallet.Use] was not called for the class.
	ErrClass = errors.New("wallet: class without a source")
	// ErrRefused is wrapped by a [Fetcher]'s error if the issuer will never
	// answer the request, such as for a key that it does not know. The fetch is
	// given up. An exhausted allowance is not such a case.
	ErrRefused = errors.New("wallet: issuer refused")
	// ErrTooLarge: a request over [MaxRequest], outstanding ones over
	// [MaxOutstanding] together, or more of everything than a file holds.
	ErrTooLarge = errors.New("wallet: too large")
	// ErrSettled: the spending was done or given back before, or may have been
	// sent and cannot be given back.
	ErrSettled = errors.New("wallet: spending settled or sent")
	// ErrInUse: another process or Wallet has the file.
	ErrInUse = errors.New("wallet: file in use")
	// ErrClosed: the wallet is closed.
	ErrClosed = errors.New("wallet: closed")
)

// The limits of a wallet.
const (
	MaxRequest     = 1 << 20 // octets of one request
	MaxOutstanding = 4 << 20 // octets of all requests without an answer
	MaxStock       = 8192    // unspent tokens; above it nothing is fetched
)

// Fetcher carries requests to issuers, such as over HTTP with the account's
// credentials. It must be safe for concurrent use.
type Fetcher interface {
	// Fetch sends a request of that kind to the issuer of the class and returns
	// the content of its answer. It may be called with the same request again,
	// days later. See [ErrRefused].
	Fetch(ctx context.Context, class tokens.Class, kind privacypass.Kind, request []byte) ([]byte, error)
}

// Source says where the tokens of a class come from.
type Source struct {
	// Challenge is what the tokens are bound to.
	Challenge *privacypass.TokenChallenge
	// Keys are the issuer's live keys of the challenge's type, newest first: new
	// tokens are fetched under the first, and tokens of the last are spent first.
	// At least one.
	Keys []*client.PublicKey
	// Batch is how many tokens are fetched at a time: a size that the attester
	// allows, and the same for everybody. 1 to 128.
	Batch int
	// Mark is the number of tokens below which Refill fetches a batch. At least 1.
	Mark int
}

func (s *Source) validate() error {
	if s.Challenge == nil || len(s.Keys) == 0 || s.Batch < 1 || s.Batch > 128 || s.Mark < 1 {
		return errors.New("wallet: incomplete source")
	}
	if _, err := s.Challenge.Digest(); err != nil {
		return err
	}
	for _, key := range s.Keys {
		if key.TokenType() != s.Challenge.TokenType {
			return errors.New("wallet: source with a key of another type")
		}
	}
	return nil
}

// age is the position of a live key, 0 for the newest, -1 for one not live.
func (s *Source) age(id privacypass.KeyID) int {
	return slices.IndexFunc(s.Keys, func(k *client.PublicKey) bool { return k.ID() == id })
}

// Config says what wallet to open. All fields but Rand must be set.
type Config struct {
	// Path is the wallet's file. Path with ".lock" appended is its lock.
	Path string
	// Key seals the file: [KeySize] uniformly random octets that are kept
	// elsewhere, such as in the system's key store.
	Key     secret.Bytes
	Fetcher Fetcher
	// Rand is the source of nonces, blinds and salts. Default crypto/rand.
	Rand io.Reader
}

// Wallet is an open wallet. Its methods may be called concurrently.
type Wallet struct {
	cfg  Config
	lock *filelock.Lock
	at   func(step) error // tests crash here

	mu      sync.Mutex
	closed  bool
	state   *state // as saved; never modified, only replaced
	sources map[tokens.Class]*source
	taken   map[[64]byte]bool // identities of stocked tokens that Spend composes with
}

// source is a Source in use.
type source struct {
	Source
	digest [sha256.Size]byte
	turn   chan struct{} // holds one value while a batch is fetched
}

// takes reports whether the token is good where this source's tokens are.
func (s *source) takes(t *privacypass.Token) bool {
	return s.age(t.KeyID) >= 0 && t.ChallengeDigest == s.digest
}

// Open opens the wallet, or makes a new one if there is no file.
func Open(cfg Config) (*Wallet, error) {
	if cfg.Path == "" || cfg.Fetcher == nil || cfg.Key.Len() != KeySize {
		return nil, errors.New("wallet: incomplete configuration")
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	f, err := filelock.Try(cfg.Path + ".lock")
	if errors.Is(err, filelock.ErrLocked) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("wallet: locking: %w", err)
	}
	s, err := load(cfg.Path, cfg.Key)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Wallet{
		cfg:     cfg,
		lock:    f,
		at:      func(step) error { return nil },
		state:   s,
		sources: make(map[tokens.Class]*source),
		taken:   make(map[[64]byte]bool),
	}, nil
}

// Close releases the file. Everything is saved at all times.
func (w *Wallet) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	return w.lock.Close()
}

// change saves what f makes of the state, and returns f's error or that of
// saving. f returns false if there is nothing to save. The caller holds mu.
func (w *Wallet) change(f func(*state) (bool, error)) error {
	if w.closed {
		return ErrClosed
	}
	next := w.state.clone()
	changed, err := f(next)
	if err != nil || !changed {
		return err
	}
	plaintext, err := next.marshal()
	if err != nil {
		return fmt.Errorf("wallet: encoding: %w", err)
	}
	if len(plaintext) > maxPlaintext {
		return ErrTooLarge
	}
	file, err := seal(w.cfg.Key, w.cfg.Rand, plaintext)
	if err != nil {
		return err
	}
	if err := replace(w.cfg.Path, file, w.at); err != nil {
		return fmt.Errorf("wallet: saving: %w", err)
	}
	w.state = next
	return nil
}

// Use sets where the tokens of a class come from. Call it after Open and
// whenever the issuer's keys change. Tokens and fetches of keys that are not
// live, or of another challenge, are discarded: nobody takes them any more.
func (w *Wallet) Use(class tokens.Class, s Source) error {
	if err := s.validate(); err != nil {
		return err
	}
	if len(class) > 255 {
		return ErrClass
	}
	digest, err := s.Challenge.Digest()
	if err != nil {
		return err
	}
	s.Keys = slices.Clone(s.Keys)
	w.mu.Lock()
	defer w.mu.Unlock()
	used := &source{Source: s, digest: digest, turn: make(chan struct{}, 1)}
	if old := w.sources[class]; old != nil {
		used.turn = old.turn
	}
	err = w.change(func(next *state) (bool, error) {
		stock, fetches := len(next.stock), len(next.fetches)
		next.stock = slices.DeleteFunc(next.stock, func(t stocked) bool { return t.class == class && !used.takes(t.token) })
		next.fetches = slices.DeleteFunc(next.fetches, func(f fetch) bool {
			return f.class == class && (s.age(f.key) < 0 || f.digest != digest)
		})
		return len(next.stock) < stock || len(next.fetches) < fetches, nil
	})
	if err != nil {
		return err
	}
	w.sources[class] = used
	return nil
}

// Count returns how many unspent tokens of the class there are, without those that
// Spend composes with.
func (w *Wallet) Count(class tokens.Class) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count(class)
}

// Counts returns the classes of which there are unspent tokens, and how many.
func (w *Wallet) Counts() map[tokens.Class]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[tokens.Class]int{}
	for _, t := range w.state.stock {
		if out[t.class] == 0 {
			if n := w.count(t.class); n > 0 {
				out[t.class] = n
			}
		}
	}
	return out
}

func (w *Wallet) count(class tokens.Class) (n int) {
	s := w.sources[class]
	for _, t := range w.state.stock {
		if t.class == class && (s == nil || s.takes(t.token)) && !w.taken[identity(t.token)] {
			n++
		}
	}
	return n
}
