package ds

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// ErrConflict: the group is at another version than a [Batch] was made for.
// Nothing was written.
var ErrConflict = errors.New("ds: group has changed")

// Limits of what a store takes.
const (
	MaxKey     = 64        // octets of a record's key
	MaxValue   = 384 << 10 // octets of a record or of a part of a message
	MaxLookups = 4096      // of one read
	MaxLanes   = 256       // of one batch
	MaxWrites  = 8000      // records, deletions and parts of one batch
	// MaxBatch is the octets of one batch, see [Batch.Size]: a message to the
	// largest group, at some 230 octets for each member, and its payload for
	// several providers.
	MaxBatch = 4 << 20
)

// MaxProviders are those at which members of a group may have queues. Each gets a copy of
// a message: with the default bounds the longest fits into a batch for all of them.
const MaxProviders = 16

// Record is one record of a group. A Record without a Key is none.
type Record struct{ Key, Value []byte }

// Lookup asks for one record.
type Lookup struct {
	Key []byte
	// Prefix is 0 to ask for the record of this very key. Else it asks for the
	// first record, in the order of octets, that is not before Key and has the
	// same first Prefix octets.
	Prefix int
}

// Snapshot answers lookups out of one state of a group.
type Snapshot struct {
	// Version counts the batches of the group, Sequence those of them that had
	// messages. A group at version 0 does not exist and has no records.
	Version, Sequence uint64
	Records           []Record // one for each lookup, in order
}

// Lane names the messages of one group for one provider, in order.
type Lane [16]byte

// Message is one message on its way. Parts are sealed and have at most
// [MaxValue] octets each.
type Message struct {
	Lane     Lane
	Sequence uint64
	Parts    [][]byte
}

// Batch changes a group from version Base to Base+1, all of it or nothing. A
// record is put or deleted once; deleting what is not there is no error.
type Batch struct {
	Base    uint64
	Puts    []Record
	Deletes [][]byte
	// Messages get the sequence number that follows the group's, one number
	// for all; there is at most one for each lane.
	Messages []Message
}

// Size is what a batch counts for: its keys and values, and 128 octets for each
// write.
func (b *Batch) Size() (writes, octets int) {
	add := func(n int) { writes, octets = writes+1, octets+n+128 }
	for _, r := range b.Puts {
		add(len(r.Key) + len(r.Value))
	}
	for _, k := range b.Deletes {
		add(len(k))
	}
	for _, m := range b.Messages {
		for _, p := range m.Parts {
			add(len(p))
		}
	}
	return writes, octets
}

// Ref is where a message waits.
type Ref struct {
	Group wire.GroupID
	Lane  Lane
}

// Store keeps groups; the group is the partition key. Methods may be called
// concurrently.
//
// Whoever controls the store can at most see which groups exist, how many
// records of which size class each has and how often they change, and how many
// messages wait for how many providers; delete groups, bring back an older
// state of one, or of single nodes of its tree, and drop messages that wait.
// Members notice all but the last from what they signed; a dropped message shows
// as a gap in the sequence.
type Store interface {
	// Read answers lookups out of one durable state.
	Read(ctx context.Context, group wire.GroupID, lookups []Lookup) (*Snapshot, error)
	// Commit makes a batch durable. It fails with [ErrConflict] if the group is
	// not at the batch's base. After any other error it may have been made.
	Commit(ctx context.Context, group wire.GroupID, b *Batch) error
	// First returns the sequence number of the first message of a lane, 0 if none
	// waits.
	First(ctx context.Context, group wire.GroupID, lane Lane) (uint64, error)
	// Message returns a message, nil if it does not wait.
	Message(ctx context.Context, group wire.GroupID, lane Lane, sequence uint64) (*Message, error)
	// Done removes a message, and those before it in its lane, and returns the
	// number of the first that is left, as First does. It does not change the
	// group's version. Doing it again is no error.
	Done(ctx context.Context, group wire.GroupID, lane Lane, sequence uint64) (uint64, error)
	// Waiting lists lanes with messages, after the given one and at most limit
	// of them. It serves to go on after a restart, and is the one method that
	// goes over partitions.
	Waiting(ctx context.Context, after Ref, limit int) ([]Ref, error)
}

// Shared is a [Store] that several processes use at the same time.
type Shared interface {
	Store
	// Attend renews this process's lease, which lasts for some seconds, and looks
	// for messages that no process with a lease cares for: at the first call if
	// there is no other, and when another's lease has run out or ended. One process
	// is given those of each: it calls take, again at the next call if that fails,
	// and if it dies itself the next one does.
	Attend(ctx context.Context, take func(context.Context) error) error
	// Leave ends the lease: others take over at once what waits.
	Leave(ctx context.Context) error
}
