package ledger

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/tokens"
)

// lock makes opening and retiring epochs one at a time.
func (l *Ledger) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case l.admin <- struct{}{}:
		return func() { <-l.admin }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// OpenEpoch implements [tokens.Ledger].
func (l *Ledger) OpenEpoch(ctx context.Context, e tokens.Epoch) error {
	if err := e.Validate(); err != nil {
		return err
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var opened entry
	err = l.db.Submit(ctx, func(tx *badger.Tx) error {
		tombstone, err := readTombstone(tx.Get, e.KeyID)
		if err != nil {
			return err
		}
		if tombstone != 0 {
			return tombstone.refusal()
		}
		g, err := readRegistry(tx.Get)
		if err != nil {
			return err
		}
		found := g.find(e.KeyID)
		if found == nil {
			if g.open() >= tokens.MaxEpochs {
				return tokens.ErrTooManyEpochs
			}
			g.entries = append(g.entries, entry{ordinal: g.next, state: stateOpen, key: e.KeyID})
			g.next++
			found = &g.entries[len(g.entries)-1]
		}
		found.capacity = e.Capacity
		opened = *found
		return writeRegistry(tx, g)
	})
	if err != nil {
		return classify(err)
	}
	l.admit(opened)
	return nil
}

// Epochs returns the keys of the epochs that are open, in no order.
func (l *Ledger) Epochs() []privacypass.KeyID {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Collect(maps.Keys(l.epochs))
}

// admit lets Spend see an epoch whose opening is durable.
func (l *Ledger) admit(opened entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.epochs[opened.key]
	if e == nil {
		e = &epoch{partition: partition(opened.ordinal), count: countKey(opened.ordinal)}
		l.epochs[opened.key] = e
	}
	e.capacity.Store(opened.capacity)
}

// RetireEpoch implements [tokens.Ledger]. If it fails, repeat it; Open does so
// too.
func (l *Ledger) RetireEpoch(ctx context.Context, key privacypass.KeyID) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var closing entry
	err = l.db.Submit(ctx, func(tx *badger.Tx) error {
		tombstone, err := readTombstone(tx.Get, key)
		if err != nil {
			return err
		}
		g, err := readRegistry(tx.Get)
		if err != nil {
			return err
		}
		found := g.find(key)
		if found != nil {
			found.state = stateClosing
			closing = *found
			if err := writeRegistry(tx, g); err != nil {
				return err
			}
		}
		if tombstone == 0 {
			tx.Put(tombstoneKey(key), []byte{byte(stateRetired)})
		}
		return nil
	})
	if err != nil {
		return classify(err)
	}
	l.mu.Lock()
	if e := l.epochs[key]; e != nil {
		// Spends that wait in the committer's queue see this; those that ran
		// since the tombstone was written go with the partition.
		e.closed.Store(true)
		delete(l.epochs, key)
	}
	l.mu.Unlock()
	if closing.state == 0 {
		return nil
	}
	if err := l.finishClosing(ctx, closing); err != nil {
		return classify(err)
	}
	return nil
}

// finishClosing drops the partition and then forgets it.
func (l *Ledger) finishClosing(ctx context.Context, closing entry) error {
	if err := l.db.DropPrefix(ctx, partition(closing.ordinal)); err != nil {
		return err
	}
	return l.db.Submit(ctx, func(tx *badger.Tx) error {
		g, err := readRegistry(tx.Get)
		if err != nil {
			return err
		}
		g.entries = slices.DeleteFunc(g.entries, func(e entry) bool { return e.ordinal == closing.ordinal })
		tx.Delete(countKey(closing.ordinal))
		return writeRegistry(tx, g)
	})
}

// fenceAll closes every epoch that the older store or the newer fence had open.
// Keys that were retired, in either, stay so.
func fenceAll(tx *badger.Tx, note []byte) error {
	g, err := readRegistry(tx.Get)
	if err != nil {
		return err
	}
	keys, err := parseNote(note)
	if err != nil {
		return err
	}
	for i := range g.entries {
		g.entries[i].state = stateClosing
		keys = append(keys, g.entries[i].key)
	}
	for _, key := range keys {
		if _, err := tx.Get(tombstoneKey(key)); errors.Is(err, badger.ErrNotFound) {
			tx.Put(tombstoneKey(key), []byte{byte(stateFenced)})
		}
	}
	return writeRegistry(tx, g)
}
