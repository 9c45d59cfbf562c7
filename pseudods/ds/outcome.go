package ds

import (
	"crypto/sha256"
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// maxOutcomes is of how many epochs the group remembers the commit that began
// them.
const maxOutcomes = 32

func outcomePlace(epoch uint64) atrest.Place {
	return atrest.Place{Kind: atrest.KindOutcome, Index: epoch}
}

// noteOutcome remembers the commit that began the present epoch.
func (s *session) noteOutcome(commit []byte) {
	epoch, hash := s.header.group.Context.Epoch, sha256.Sum256(commit)
	s.putOctets(number64(keyOutcome, epoch), outcomePlace(epoch), hash[:])
	if epoch > maxOutcomes {
		s.delete(number64(keyOutcome, epoch-maxOutcomes))
	}
}

// doCommitOutcome tells which commit began an epoch. Who asks knows a group
// state key that opens the group, and so has nothing to learn from a hash.
func doCommitOutcome(r *request) (mls.Marshaler, error) {
	epoch := r.body.(*wire.OutcomeQuery).Epoch
	out := &wire.CommitOutcome{Epoch: r.group.header.group.Context.Epoch}
	sealed, err := r.group.get(number64(keyOutcome, epoch))
	if err != nil || sealed == nil {
		return out, err
	}
	hash, err := r.group.keys.Open(outcomePlace(epoch), sealed)
	if err != nil {
		return nil, errors.Join(errStore, err)
	}
	if len(hash) != sha256.Size {
		return nil, errStore
	}
	out.Commit = (*[sha256.Size]byte)(hash)
	return out, nil
}
