package wallet

import (
	"bytes"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/tokens"
)

// Spending is a request that holds tokens and has no answer yet.
type Spending struct {
	wallet  *Wallet
	id      uint64
	request []byte
	shown   bool // guarded by the wallet's mutex: Request was called, in this process or before
}

// Spend takes n tokens of the class, has the request composed that contains
// them, and saves it. Compose must not keep the tokens and must not send
// anything; if it fails the tokens stay in the wallet and Spend returns its
// error. It may call methods of the wallet.
func (w *Wallet) Spend(class tokens.Class, n int, compose func([]*privacypass.Token) ([]byte, error)) (*Spending, error) {
	if n < 1 || n > tokens.MaxCount {
		return nil, errors.New("wallet: number of tokens out of range")
	}
	picked, err := w.take(class, n)
	if err != nil {
		return nil, err
	}
	defer w.untake(picked)
	shown := make([]*privacypass.Token, n)
	for i, t := range picked {
		shown[i] = t.token
	}
	request, err := compose(shown)
	if err != nil {
		return nil, err
	}
	return w.bind(picked, bytes.Clone(request))
}

// take picks tokens that no other Spend has: those of the oldest live key first,
// and in the order in which they came.
func (w *Wallet) take(class tokens.Class, n int) ([]stocked, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, ErrClosed
	}
	s := w.sources[class]
	if s == nil {
		return nil, ErrClass
	}
	var free []stocked
	for _, t := range w.state.stock {
		if t.class == class && s.takes(t.token) && !w.taken[identity(t.token)] {
			free = append(free, t)
		}
	}
	if len(free) < n {
		return nil, ErrEmpty
	}
	slices.SortStableFunc(free, func(a, b stocked) int { return s.age(b.token.KeyID) - s.age(a.token.KeyID) })
	for _, t := range free[:n] {
		w.taken[identity(t.token)] = true
	}
	return free[:n], nil
}

func (w *Wallet) untake(picked []stocked) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range picked {
		delete(w.taken, identity(t.token))
	}
}

// bind moves the tokens from the stock to a spending.
func (w *Wallet) bind(picked []stocked, request []byte) (*Spending, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var id uint64
	err := w.change(func(next *state) (bool, error) {
		if len(request) > MaxRequest || next.size()+len(request) > MaxOutstanding {
			return false, ErrTooLarge
		}
		for _, t := range picked {
			at := slices.IndexFunc(next.stock, func(u stocked) bool { return u.token == t.token })
			if at < 0 {
				return false, ErrEmpty // discarded by Use meanwhile
			}
			next.stock = slices.Delete(next.stock, at, at+1)
		}
		id = next.nextID
		next.nextID++
		next.spendings = append(next.spendings, spending{id, request, picked})
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return &Spending{wallet: w, id: id, request: request}, nil
}

// Outstanding returns the requests that have no answer, oldest first, among them
// those that Spend returned in this process. Call it after Open and send them
// again; some may never have been sent.
func (w *Wallet) Outstanding() []*Spending {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*Spending
	for _, p := range w.state.spendings {
		out = append(out, &Spending{wallet: w, id: p.id, request: p.request, shown: true})
	}
	return out
}

// Request returns the request to send, the same octets every time.
func (s *Spending) Request() []byte {
	s.wallet.mu.Lock()
	defer s.wallet.mu.Unlock()
	s.shown = true
	return bytes.Clone(s.request)
}

// Done forgets the request and its tokens. Call it when the answer is known,
// whatever it is, or when the request is given up. Until then repeat it.
func (s *Spending) Done() error { return s.settle(false) }

// Unsent puts the tokens back and forgets the request, which must not be sent. It
// is refused with [ErrSettled] once Request was called or the program was
// started anew: the tokens may have been seen, and would link two requests.
func (s *Spending) Unsent() error { return s.settle(true) }

func (s *Spending) settle(giveBack bool) error {
	s.wallet.mu.Lock()
	defer s.wallet.mu.Unlock()
	if giveBack && s.shown {
		return ErrSettled
	}
	return s.wallet.change(func(next *state) (bool, error) {
		at := slices.IndexFunc(next.spendings, func(p spending) bool { return p.id == s.id })
		if at < 0 {
			return false, ErrSettled
		}
		if giveBack {
			next.stock = append(next.stock, next.spendings[at].tokens...)
		}
		next.spendings = slices.Delete(next.spendings, at, at+1)
		return true, nil
	})
}
