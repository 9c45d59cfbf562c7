package wallet_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/client/wallet"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/tokens"
)

// TestLifeOfTokens fetches, keeps over a restart, spends and refills, for each
// type.
func TestLifeOfTokens(t *testing.T) {
	for _, tokenType := range privacypass.TokenTypes() {
		t.Run(tokenType.String(), func(t *testing.T) {
			r := newRig(t, tokenType)
			r.filled().Close()
			w := r.open()
			for range batch {
				s, err := w.Spend(tokens.Send, 1, compose("hello"))
				check(t, err)
				r.wantServed(s.Request(), tokens.Fresh)
				r.wantServed(s.Request(), tokens.Resume)
				check(t, s.Done())
				wantErr(t, s.Done(), wallet.ErrSettled)
			}
			_, err := w.Spend(tokens.Send, 1, compose("hello"))
			wantErr(t, err, wallet.ErrEmpty)
			check(t, w.Refill(t.Context()))
			check(t, w.Refill(t.Context())) // is above its mark
			if r.charged != 2*batch || w.Count(tokens.Send) != batch {
				t.Fatalf("%d issued, %d in the wallet", r.charged, w.Count(tokens.Send))
			}
			s, err := w.Spend(tokens.Send, 3, compose("three"))
			check(t, err)
			r.wantServed(s.Request(), tokens.Fresh)
		})
	}
}

// TestINV04HandsOutOnce spends from many goroutines while others refill: no
// token is in two requests.
func TestINV04HandsOutOnce(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	const spenders, each = 8, 6
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[[privacypass.NonceSize]byte]bool{}
	for range spenders {
		wg.Go(func() {
			for range each {
				for {
					s, err := w.Spend(tokens.Send, 1, func(held []*privacypass.Token) ([]byte, error) {
						mu.Lock()
						defer mu.Unlock()
						if seen[held[0].Nonce] {
							t.Error("a token was handed out twice")
						}
						seen[held[0].Nonce] = true
						return compose("x")(held)
					})
					if errors.Is(err, wallet.ErrEmpty) {
						if err := w.Refill(t.Context()); err != nil {
							t.Error(err)
							return
						}
						continue
					}
					if err == nil {
						err = s.Done()
					}
					if err != nil {
						t.Error(err)
					}
					break
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != spenders*each || r.charged != len(seen)+w.Count(tokens.Send) {
		t.Fatalf("%d spent, %d left, %d issued", len(seen), w.Count(tokens.Send), r.charged)
	}
}

func TestKeyEpochs(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	old := r.keys[0].ID()
	r.rotate()
	check(t, w.Use(tokens.Send, r.source()))
	s, err := w.Spend(tokens.Send, 2, compose("a"))
	check(t, err)
	check(t, s.Done())
	check(t, w.Refill(t.Context())) // 2 are left: a batch under the new key comes
	for range 2 {                   // the old key's tokens go first
		s, err := w.Spend(tokens.Send, 1, func(held []*privacypass.Token) ([]byte, error) {
			if held[0].KeyID != old {
				t.Error("a new token was spent before the old ones")
			}
			return compose("b")(held)
		})
		check(t, err)
		check(t, s.Unsent())
	}
	r.retire()
	check(t, w.Use(tokens.Send, r.source()))
	if n := w.Count(tokens.Send); n != batch {
		t.Fatalf("%d tokens are left, want the new key's", n)
	}
	w.Close()
	w = r.open()
	s, err = w.Spend(tokens.Send, batch, compose("c"))
	check(t, err)
	r.wantServed(s.Request(), tokens.Fresh)
}

// TestChallengeChange: tokens bound to another challenge are worth nothing.
func TestChallengeChange(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	changed := *r.challenge
	changed.RedemptionContext = make([]byte, 32)
	r.challenge = &changed
	check(t, w.Use(tokens.Send, r.source()))
	if n := w.Count(tokens.Send); n != 0 {
		t.Fatalf("%d tokens are left", n)
	}
}

func TestClassesAreApart(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	_, err := w.Spend(tokens.Create, 1, compose("a"))
	wantErr(t, err, wallet.ErrClass)
	check(t, w.Use(tokens.Create, r.source()))
	_, err = w.Spend(tokens.Create, 1, compose("a"))
	wantErr(t, err, wallet.ErrEmpty)
	check(t, w.Refill(t.Context()))
	if w.Count(tokens.Create) != batch || w.Count(tokens.Send) != batch {
		t.Fatalf("%d and %d tokens", w.Count(tokens.Create), w.Count(tokens.Send))
	}
}

func TestUnsent(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	refusal := errors.New("cannot compose")
	_, err := w.Spend(tokens.Send, 2, func([]*privacypass.Token) ([]byte, error) { return nil, refusal })
	wantErr(t, err, refusal)
	s, err := w.Spend(tokens.Send, 2, compose("a"))
	check(t, err)
	check(t, s.Unsent())
	if w.Count(tokens.Send) != batch || len(w.Outstanding()) != 0 {
		t.Fatal("the tokens are not back")
	}
	wantErr(t, s.Unsent(), wallet.ErrSettled)
	s, err = w.Spend(tokens.Send, 2, compose("b"))
	check(t, err)
	s.Request()
	wantErr(t, s.Unsent(), wallet.ErrSettled) // it may be on its way
	w.Close()
	for _, s := range r.open().Outstanding() {
		wantErr(t, s.Unsent(), wallet.ErrSettled)
	}
}

// TestComposeMayUseTheWallet calls the wallet from within Spend, which holds
// its own tokens meanwhile.
func TestComposeMayUseTheWallet(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	s, err := w.Spend(tokens.Send, 3, func(outer []*privacypass.Token) ([]byte, error) {
		_, err := w.Spend(tokens.Send, 2, compose("inner"))
		wantErr(t, err, wallet.ErrEmpty)
		return compose("outer")(outer)
	})
	check(t, err)
	check(t, s.Done())
}

// TestRefillDuringSpend: tokens that a request is composed with are there for no
// other, so that a batch is fetched for those who wait.
func TestRefillDuringSpend(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	_, err := w.Spend(tokens.Send, batch, func(outer []*privacypass.Token) ([]byte, error) {
		check(t, w.Refill(t.Context()))
		_, err := w.Spend(tokens.Send, 1, compose("inner"))
		check(t, err)
		return compose("outer")(outer)
	})
	check(t, err)
}

// TestUseDuringSpend discards the tokens while a request is composed.
func TestUseDuringSpend(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	_, err := w.Spend(tokens.Send, 1, func(held []*privacypass.Token) ([]byte, error) {
		r.rotate()
		r.retire()
		check(t, w.Use(tokens.Send, r.source()))
		return compose("a")(held)
	})
	wantErr(t, err, wallet.ErrEmpty)
}

func TestLimits(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	big := func(n int) func([]*privacypass.Token) ([]byte, error) {
		return func([]*privacypass.Token) ([]byte, error) { return make([]byte, n), nil }
	}
	_, err := w.Spend(tokens.Send, 1, big(wallet.MaxRequest+1))
	wantErr(t, err, wallet.ErrTooLarge)
	for range wallet.MaxOutstanding / wallet.MaxRequest {
		check(t, w.Refill(t.Context()))
		_, err = w.Spend(tokens.Send, 1, big(wallet.MaxRequest))
		check(t, err)
	}
	check(t, w.Refill(t.Context()))
	_, err = w.Spend(tokens.Send, 1, big(1))
	wantErr(t, err, wallet.ErrTooLarge)
	for _, n := range []int{0, -1, tokens.MaxCount + 1} {
		if _, err := w.Spend(tokens.Send, n, compose("a")); err == nil {
			t.Fatalf("%d tokens", n)
		}
	}
	w.Close()
	if len(r.open().Outstanding()) != wallet.MaxOutstanding/wallet.MaxRequest {
		t.Fatal("a full wallet is not read back")
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	short := r.cfg
	short.Key = secret.New(make([]byte, wallet.KeySize-1))
	if _, err := wallet.Open(short); err == nil {
		t.Fatal("a short key")
	}
	w := r.open()
	for name, change := range map[string]func(*wallet.Source){
		"no challenge": func(s *wallet.Source) { s.Challenge = nil },
		"no keys":      func(s *wallet.Source) { s.Keys = nil },
		"no batch":     func(s *wallet.Source) { s.Batch = 0 },
		"large batch":  func(s *wallet.Source) { s.Batch = 129 },
		"no mark":      func(s *wallet.Source) { s.Mark = 0 },
		"other type": func(s *wallet.Source) {
			c := *s.Challenge
			c.TokenType = privacypass.BlindRSA
			s.Challenge = &c
		},
	} {
		s := r.source()
		change(&s)
		if err := w.Use(tokens.Send, s); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestClosedAndInUse(t *testing.T) {
	r := newRig(t, privacypass.VOPRFRistretto255)
	w := r.filled()
	_, err := wallet.Open(r.cfg)
	wantErr(t, err, wallet.ErrInUse)
	check(t, w.Close())
	check(t, w.Close())
	_, err = w.Spend(tokens.Send, 1, compose("a"))
	wantErr(t, err, wallet.ErrClosed)
	wantErr(t, w.Refill(t.Context()), wallet.ErrClosed)
	wantErr(t, w.Use(tokens.Send, r.source()), wallet.ErrClosed)
	r.open()
}
