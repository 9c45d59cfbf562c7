package ledger

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/tokens"
)

// OpenEpoch implements [tokens.Ledger].
func (l *Ledger) OpenEpoch(ctx context.Context, e tokens.Epoch) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.checkRoom(ctx, e.KeyID); err != nil {
		return classify(err)
	}
	err := l.know(ctx, l.shard(e.KeyID), []privacypass.KeyID{e.KeyID}, func(ctx context.Context, witness []byte, number int64) (int64, error) {
		var s state
		err := l.db.Write(ctx, "select spent.open_epoch($1, $2, $3, $4, $5)",
			[]any{e.KeyID[:], int64(min(e.Capacity, 1<<62)), tokens.MaxEpochs, witness, number}, postgres.One(&s))
		if err == nil {
			err = s.refusal()
		}
		return number, err
	})
	if err != nil {
		return classify(err)
	}
	return nil
}

// checkRoom counts the epochs of all shards, of which each limits its own. Two
// processes that open epochs at the same moment can come out one above the limit.
func (l *Ledger) checkRoom(ctx context.Context, key privacypass.KeyID) error {
	if l.db.Shards() == 1 {
		return nil
	}
	state, err := l.state(ctx, key)
	if err != nil || state != "unknown" {
		return err
	}
	open, _, err := l.epochs(ctx)
	if err == nil && len(open) >= tokens.MaxEpochs {
		err = tokens.ErrTooManyEpochs
	}
	return err
}

// Epochs returns the keys of the epochs that are open.
func (l *Ledger) Epochs(ctx context.Context) ([]privacypass.KeyID, error) {
	open, _, err := l.epochs(ctx)
	if err != nil {
		return nil, classify(err)
	}
	return open, nil
}

func (l *Ledger) epochs(ctx context.Context) (open, closing []privacypass.KeyID, err error) {
	err = l.db.Read(ctx, "select * from spent.epochs()", nil, func(r postgres.Rows) error {
		open, closing = nil, nil
		for r.Next() {
			var b []byte
			var closed bool
			if err := r.Scan(&b, &closed); err != nil {
				return err
			}
			key, err := keyID(b)
			if err != nil {
				return err
			}
			if closed {
				closing = append(closing, key)
			} else {
				open = append(open, key)
			}
		}
		return nil
	})
	return open, closing, err
}

func keyID(b []byte) (id privacypass.KeyID, err error) {
	if len(b) != len(id) {
		return id, tokens.ErrRecord
	}
	return privacypass.KeyID(b), nil
}

// know carries a step out in a shard, and makes keys of it known with that: it puts
// them into the fence's note, and from then on Spend takes their tokens.
func (l *Ledger) know(ctx context.Context, part int, keys []privacypass.KeyID, write postgres.Write) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := maps.Clone(l.known)
	for _, key := range keys {
		known[key] = true
	}
	if err := l.fence.Do(ctx, part, l.note(part, known), write); err != nil {
		return err
	}
	l.known = known
	return nil
}

// note lists those keys that are a shard's, for its fence: 32 octets each.
func (l *Ledger) note(part int, keys map[privacypass.KeyID]bool) []byte {
	b := []byte{}
	for _, key := range slices.SortedFunc(maps.Keys(keys), func(a, b privacypass.KeyID) int { return bytes.Compare(a[:], b[:]) }) {
		if l.shard(key) == part {
			b = append(b, key[:]...)
		}
	}
	return b
}

func parseNote(b []byte) (map[privacypass.KeyID]bool, error) {
	keys := map[privacypass.KeyID]bool{}
	for key := range slices.Chunk(b, len(privacypass.KeyID{})) {
		id, err := keyID(key)
		if err != nil {
			return nil, err
		}
		keys[id] = true
	}
	return keys, nil
}

// mayKnow makes sure that a key is known before its tokens are spent: another
// process may have opened its epoch.
func (l *Ledger) mayKnow(ctx context.Context, key privacypass.KeyID) error {
	l.mu.Lock()
	known := l.known[key]
	l.mu.Unlock()
	if known {
		return nil
	}
	if err := l.refusal(ctx, key); err != nil {
		return err
	}
	part := l.shard(key)
	return l.know(ctx, part, []privacypass.KeyID{key}, l.fence.Step(part))
}

// RetireEpoch implements [tokens.Ledger]. If it fails, repeat it; Open finishes
// what was begun, too.
func (l *Ledger) RetireEpoch(ctx context.Context, key privacypass.KeyID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := l.fence.Do(ctx, l.shard(key), nil, func(ctx context.Context, witness []byte, number int64) (int64, error) {
		return number, l.db.Write(ctx, "select spent.retire($1, $2, $3)", []any{key[:], witness, number}, nil)
	})
	if err == nil {
		err = l.drop(ctx, key)
	}
	if err != nil {
		return classify(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, key) // the note forgets it with the next key
	return nil
}

// drop drops the partition of a closed epoch.
func (l *Ledger) drop(ctx context.Context, key privacypass.KeyID) error {
	return l.db.Write(ctx, "select spent.drop_epoch($1)", []any{key[:]}, nil)
}

// fenceEpochs is for [postgres.FenceConfig.OnRollback].
func (l *Ledger) fenceEpochs(ctx context.Context, part int, note []byte, whole bool) error {
	known, err := parseNote(note)
	if err != nil {
		return err
	}
	keys := [][]byte{}
	for key := range known {
		keys = append(keys, key[:])
	}
	return l.db.Write(ctx, "select spent.fence_epochs_at($1, $2, $3)", []any{part, keys, whole}, nil)
}
