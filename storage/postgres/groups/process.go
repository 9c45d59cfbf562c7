package groups

import (
	"context"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/storage/postgres"
)

var _ ds.Shared = (*Store)(nil)

// lease is for how many seconds a process is taken for alive after it was seen.
const lease = 10

// Attend implements [ds.Shared]. The lease is a row for each process and not for
// each message: a message costs nothing, and what a process leaves behind is all
// that waits. Those of others that are among it are sent twice then.
func (s *Store) Attend(ctx context.Context, take func(context.Context) error) error {
	var due bool
	err := s.db.Write(ctx, "select groups.attend($1, $2, $3)", []any{s.process[:], !s.attended.Load(), lease}, postgres.One(&due))
	if err != nil {
		return err
	}
	if due {
		if err := take(ctx); err != nil {
			return err
		}
	}
	s.attended.Store(true)
	if !due {
		return nil
	}
	return s.db.Write(ctx, "select groups.inherit($1)", []any{s.process[:]}, nil)
}

// Leave implements [ds.Shared].
func (s *Store) Leave(ctx context.Context) error {
	return s.db.Write(ctx, "select groups.leave($1)", []any{s.process[:]}, nil)
}
