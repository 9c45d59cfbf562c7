package ledger

import (
	"context"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/tokens"
)

// maxBatch is how many tokens one call of the database binds at most.
const maxBatch = 512

// spending is a call of Spend on its way.
type spending struct {
	key       privacypass.KeyID
	nullifier tokens.Nullifier
	tag       tokens.Tag
	outcome   tokens.Outcome
	answer    chan error
}

// enqueue reports whether the ledger is open. It waits while the queue of the key's
// shard is full.
func (l *Ledger) enqueue(s *spending) bool {
	l.closing.RLock()
	defer l.closing.RUnlock()
	if l.closed {
		return false
	}
	l.queues[l.shard(s.key)] <- s
	return true
}

// run binds the tokens of a shard until the ledger is closed: what came while a batch
// was on its way is the next one.
func (l *Ledger) run(queue chan *spending) {
	for first := range queue {
		waiting := []*spending{first}
	gather:
		for len(waiting) < maxBatch {
			select {
			case s, ok := <-queue:
				if !ok {
					break gather
				}
				waiting = append(waiting, s)
			default:
				break gather
			}
		}
		for len(waiting) > 0 {
			var now []*spending
			now, waiting = cut(waiting)
			l.spend(now)
		}
	}
}

// cut takes out of what waits a batch of one key in which no nullifier is twice:
// the second call with a token is judged by what became of the first.
func cut(waiting []*spending) (now, later []*spending) {
	taken := map[tokens.Nullifier]bool{}
	for _, s := range waiting {
		if s.key != waiting[0].key || taken[s.nullifier] {
			later = append(later, s)
			continue
		}
		taken[s.nullifier] = true
		now = append(now, s)
	}
	return now, later
}

// spend carries a batch out and answers it.
func (l *Ledger) spend(batch []*spending) {
	ctx, key := context.Background(), batch[0].key
	nullifiers, tags := make([][]byte, len(batch)), make([][]byte, len(batch))
	for i, s := range batch {
		nullifiers[i], tags[i] = s.nullifier[:], s.tag[:]
	}
	verdicts := make([]error, len(batch))
	var judged int
	err := l.fence.Do(ctx, l.shard(key), nil, func(ctx context.Context, witness []byte, number int64) (at int64, err error) {
		err = l.db.Write(ctx, "select * from spent.spend($1, $2, $3, $4, $5)", []any{key[:], nullifiers, tags, witness, number}, func(r postgres.Rows) error {
			for judged = 0; r.Next(); judged++ {
				var ordinal int
				var stored []byte
				var full bool
				if err := r.Scan(&ordinal, &stored, &full, &at); err != nil {
					return err
				}
				if ordinal < 1 || ordinal > len(batch) {
					return postgres.ErrRefused
				}
				verdicts[ordinal-1] = batch[ordinal-1].judge(stored, full)
			}
			return nil
		})
		return at, err
	})
	switch {
	case err == nil && judged == 0:
		if err = l.refusal(ctx, key); err == nil {
			err = postgres.ErrBusy // it was opened since
		}
	case err == nil && judged != len(batch):
		err = postgres.ErrRefused
	}
	for i, s := range batch {
		if err != nil {
			verdicts[i] = err
		}
		s.answer <- verdicts[i]
	}
}

// judge sets the outcome, given the tag that was there before and whether the
// epoch is full.
func (s *spending) judge(stored []byte, full bool) (err error) {
	if full {
		return tokens.ErrCapacity
	}
	var before *tokens.Tag
	if stored != nil {
		tag, err := tokens.ParseTag(stored)
		if err != nil {
			return err
		}
		before = &tag
	}
	s.outcome, err = tokens.Judge(before, s.tag)
	return err
}
