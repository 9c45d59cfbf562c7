package wallet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/tokens"
)

// Refill finishes the fetches that were begun and fetches a batch for each class
// below its mark, until it is not. A class that fails does not keep others from
// being filled; all errors are joined. A fetch that failed otherwise than by
// [ErrRefused] is sent again, the same octets, by the next Refill.
func (w *Wallet) Refill(ctx context.Context) error {
	w.mu.Lock()
	var classes []tokens.Class
	for class := range w.sources {
		classes = append(classes, class)
	}
	w.mu.Unlock()
	slices.Sort(classes)
	var errs []error
	for _, class := range classes {
		if err := w.refill(ctx, class); err != nil {
			errs = append(errs, fmt.Errorf("class %q: %w", class, err))
		}
	}
	return errors.Join(errs...)
}

func (w *Wallet) refill(ctx context.Context, class tokens.Class) error {
	w.mu.Lock()
	turn := w.sources[class].turn
	w.mu.Unlock()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		more, err := w.fetchBatch(ctx, class)
		if err != nil || !more {
			return err
		}
	}
}

// fetchBatch fetches one batch, if one is due, and reports whether another may
// be.
func (w *Wallet) fetchBatch(ctx context.Context, class tokens.Class) (more bool, err error) {
	pending, f, err := w.beginFetch(class)
	if err != nil || pending == nil {
		return false, err
	}
	response, err := w.cfg.Fetcher.Fetch(ctx, class, pending.Kind(), pending.Request())
	if errors.Is(err, ErrRefused) {
		return false, errors.Join(err, w.endFetch(f, nil))
	}
	if err != nil {
		return false, err
	}
	made, err := pending.Finalize(response)
	if err != nil {
		return false, err
	}
	return len(made) > 0, w.endFetch(f, made)
}

// beginFetch returns the fetch under way or, if the class is below its mark, a
// new one, which is saved before it is returned: the issuer may charge for it
// from the moment it is sent, and only the saved secrets open the answer.
func (w *Wallet) beginFetch(class tokens.Class) (*client.Pending, fetch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, fetch{}, ErrClosed
	}
	if f := w.state.fetch(class); f != nil {
		pending, err := client.Restore(f.pending)
		return pending, *f, err
	}
	s := w.sources[class]
	if w.count(class) >= s.Mark || len(w.state.stock) >= MaxStock {
		return nil, fetch{}, nil
	}
	pending, err := w.newPending(&s.Source)
	if err != nil {
		return nil, fetch{}, err
	}
	f := fetch{class: class, key: s.Keys[0].ID(), digest: s.digest, pending: pending.Export()}
	err = w.change(func(next *state) (bool, error) {
		next.fetches = append(next.fetches, f)
		return true, nil
	})
	if err != nil {
		return nil, fetch{}, err
	}
	return pending, f, nil
}

// newPending makes a request for one batch: amortized where the type allows.
func (w *Wallet) newPending(s *Source) (*client.Pending, error) {
	params, err := s.Challenge.TokenType.Params()
	if err != nil {
		return nil, err
	}
	want := client.Want{Key: s.Keys[0], Challenge: s.Challenge}
	if params.Amortized {
		return client.Amortized(w.cfg.Rand, want, s.Batch)
	}
	return client.Generic(w.cfg.Rand, slices.Repeat([]client.Want{want}, s.Batch))
}

// endFetch takes the fetch out of the state and its tokens in, in one step. A
// fetch that was discarded meanwhile, because its key retired, gives no tokens.
func (w *Wallet) endFetch(f fetch, made []*privacypass.Token) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.change(func(next *state) (bool, error) {
		at := slices.IndexFunc(next.fetches, func(g fetch) bool {
			return g.class == f.class && g.pending.Equal(f.pending)
		})
		if at < 0 {
			return false, nil
		}
		next.fetches = slices.Delete(next.fetches, at, at+1)
		for _, t := range made {
			next.stock = append(next.stock, stocked{f.class, t})
		}
		return true, nil
	})
}
