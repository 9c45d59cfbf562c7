// Package allowances keeps what an attester accounts for in the embedded store:
// it implements [attester.Store].
//
// Whoever controls the database can at most do what the interface says of any
// such store: the values are neither sealed nor authenticated, because what they
// protect, the issuer's willingness to sign, is in the hands of the same host.
package allowances

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/storage/badger"
)

// Format is the format of the databases that [New] takes.
var Format = badger.Format{Name: "allowances", Version: 1}

// ErrCorrupt: a record that this package did not write that way.
var ErrCorrupt = errors.New("allowances: corrupt record")

// The first octet of a key says what the record is.
const (
	// epoch -> present: there may be charges of that epoch.
	kindEpoch = 'e'
	// epoch -> present: the epoch was dropped. One such record stays for each.
	kindDropped = 'd'
	// account -> Standing.
	kindStanding = 's'
	// epoch, account, 's', class -> tokens spent in the slot;
	// epoch, account, 'r', request, class -> reply;
	// epoch, account, 'v', verdict -> present: it was applied.
	kindCharge = 'c'
)

// present is the value of records whose key says all.
var present = []byte{1}

// Store is an [attester.Store] on a database of its own.
//
// A charge is one request to the database's committer, so that counter, reply
// and standing become durable together. Charges lie behind their epoch, and an
// epoch is dropped as one prefix: there are no expiry times to keep and no
// deleted rows to walk over.
type Store struct {
	db *badger.DB
}

var _ attester.Store = (*Store)(nil)

// New returns the store on a database opened with [Format]. The caller closes
// the database.
func New(db *badger.DB) *Store { return &Store{db} }

func epochKey(kind byte, epoch attester.Epoch) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(epoch))
}

func standingKey(a attester.Account) []byte {
	return append([]byte{kindStanding}, a[:]...)
}

func spentKey(a attester.Account, s attester.Slot) []byte {
	k := append(epochKey(kindCharge, s.Epoch), a[:]...)
	return append(append(k, 's'), s.Class...)
}

func replyKey(a attester.Account, s attester.Slot, request attester.Digest) []byte {
	k := append(epochKey(kindCharge, s.Epoch), a[:]...)
	return append(append(append(k, 'r'), request[:]...), s.Class...)
}

func verdictKey(a attester.Account, epoch attester.Epoch, id [16]byte) []byte {
	k := append(epochKey(kindCharge, epoch), a[:]...)
	return append(append(k, 'v'), id[:]...)
}

// get reads a record by either [badger.DB.Get] or [badger.Tx.Get]; an absent
// one is nil.
func get(read func([]byte) ([]byte, error), key []byte) ([]byte, error) {
	b, err := read(key)
	if errors.Is(err, badger.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

func getUint64(read func([]byte) ([]byte, error), key []byte) (uint64, error) {
	b, err := get(read, key)
	if err != nil || b == nil {
		return 0, err
	}
	return parseUint64(b)
}

func parseUint64(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, ErrCorrupt
	}
	return binary.BigEndian.Uint64(b), nil
}

func getStanding(read func([]byte) ([]byte, error), a attester.Account) (attester.Standing, error) {
	b, err := get(read, standingKey(a))
	if err != nil || b == nil {
		return attester.Standing{}, err
	}
	return parseStanding(b)
}

// The first octet of a standing.
const (
	formSeen   = 1 << 0
	formFading = 1 << 1 // the cut is none that isStep
)

func parseStanding(b []byte) (s attester.Standing, err error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	form := r.Uint8()
	s.Seen = form&formSeen != 0
	s.First = attester.Epoch(r.Uint64())
	s.Cut.Percent = r.Uint8()
	s.Cut.Until = attester.Epoch(r.Uint64())
	if form&formFading == 0 {
		s.Cut.Full = max(s.Cut.Until, 1) - 1
	} else {
		s.Cut.From = attester.Epoch(r.Uint64())
		s.Cut.Full = attester.Epoch(r.Uint64())
		s.Cut.Strikes = r.Uint8()
		s.Cut.Last = attester.Epoch(r.Uint64())
		if isStep(s.Cut) { // has a shorter form
			r.Fail(ErrCorrupt)
		}
	}
	if err := r.Finish(); err != nil || form > formSeen|formFading || s.Cut.Percent > 100 || s.Cut.Full > s.Cut.Until {
		return attester.Standing{}, ErrCorrupt
	}
	return s, nil
}

// isStep reports whether a cut withholds one share until it ends, since whenever:
// the only kind that there was at first, and still the form of most standings, which
// have none.
func isStep(c attester.Cut) bool {
	return c.From == 0 && c.Strikes == 0 && c.Last == 0 && c.Full == max(c.Until, 1)-1
}

func marshalStanding(s attester.Standing) []byte {
	var w tlscodec.Writer
	form := uint8(0)
	if s.Seen {
		form |= formSeen
	}
	if !isStep(s.Cut) {
		form |= formFading
	}
	w.Uint8(form)
	w.Uint64(uint64(s.First))
	w.Uint8(s.Cut.Percent)
	w.Uint64(uint64(s.Cut.Until))
	if !isStep(s.Cut) {
		w.Uint64(uint64(s.Cut.From))
		w.Uint64(uint64(s.Cut.Full))
		w.Uint8(s.Cut.Strikes)
		w.Uint64(uint64(s.Cut.Last))
	}
	b, _ := w.Bytes() // fixed-size fields always have an encoding
	return b
}

// Look implements [attester.Store]. It waits for nobody. The reply is read
// last: if a charge is committed meanwhile, the view holds its reply.
func (s *Store) Look(_ context.Context, account attester.Account, slot attester.Slot, request attester.Digest) (v attester.View, err error) {
	if v.Standing, err = getStanding(s.db.Get, account); err != nil {
		return attester.View{}, err
	}
	spent, err := getUint64(s.db.Get, spentKey(account, slot))
	if err != nil {
		return attester.View{}, err
	}
	v.Spent = int(spent)
	if v.Reply, err = get(s.db.Get, replyKey(account, slot, request)); err != nil {
		return attester.View{}, err
	}
	return v, nil
}

// Charge implements [attester.Store].
func (s *Store) Charge(ctx context.Context, account attester.Account, c attester.Charge) (reply []byte, err error) {
	err = s.db.Submit(ctx, func(tx *badger.Tx) error {
		reply, err = charge(tx, account, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return reply, nil
}

func charge(tx *badger.Tx, account attester.Account, c attester.Charge) ([]byte, error) {
	dropped, err := get(tx.Get, epochKey(kindDropped, c.Slot.Epoch))
	if err != nil {
		return nil, err
	}
	if dropped != nil {
		return nil, attester.ErrPast
	}
	key := replyKey(account, c.Slot, c.Request)
	stored, err := get(tx.Get, key)
	if err != nil || stored != nil {
		return stored, err
	}
	spent, err := getUint64(tx.Get, spentKey(account, c.Slot))
	if err != nil {
		return nil, err
	}
	if int64(c.Tokens) > int64(c.Limit)-int64(spent) {
		return nil, attester.ErrExhausted
	}
	standing, err := getStanding(tx.Get, account)
	if err != nil {
		return nil, err
	}
	marked, err := get(tx.Get, epochKey(kindEpoch, c.Slot.Epoch))
	if err != nil {
		return nil, err
	}
	if marked == nil {
		tx.Put(epochKey(kindEpoch, c.Slot.Epoch), present)
	}
	if !c.Once && !standing.Seen {
		standing.Seen, standing.First = true, c.Slot.Epoch
		tx.Put(standingKey(account), marshalStanding(standing))
	}
	tx.Put(spentKey(account, c.Slot), binary.BigEndian.AppendUint64(nil, spent+uint64(c.Tokens)))
	tx.Put(key, append([]byte{}, c.Reply...))
	return c.Reply, nil
}

// Reduce implements [attester.Store].
func (s *Store) Reduce(ctx context.Context, account attester.Account, r *attester.Reduction, now attester.Epoch) error {
	return s.db.Submit(ctx, func(tx *badger.Tx) error {
		if r.Verdict() {
			if err := remember(tx, account, r); err != nil {
				return err
			}
		}
		standing, err := getStanding(tx.Get, account)
		if err != nil {
			return err
		}
		standing.Cut = r.Apply(standing.Cut, now)
		tx.Put(standingKey(account), marshalStanding(standing))
		return nil
	})
}

// remember files a verdict under the epoch in which it expires, with which it is
// dropped.
func remember(tx *badger.Tx, account attester.Account, r *attester.Reduction) error {
	dropped, err := get(tx.Get, epochKey(kindDropped, r.Expires))
	if err != nil {
		return err
	}
	if dropped != nil {
		return attester.ErrPast
	}
	key := verdictKey(account, r.Expires, r.ID)
	known, err := get(tx.Get, key)
	if err != nil {
		return err
	}
	if known != nil {
		return attester.ErrRepeated
	}
	marked, err := get(tx.Get, epochKey(kindEpoch, r.Expires))
	if err != nil {
		return err
	}
	if marked == nil {
		tx.Put(epochKey(kindEpoch, r.Expires), present)
	}
	tx.Put(key, present)
	return nil
}

// DropBefore implements [attester.Store].
func (s *Store) DropBefore(ctx context.Context, epoch attester.Epoch) error {
	for from := []byte(nil); ; {
		epochs, next, err := s.db.Scan([]byte{kindEpoch}, from, 0)
		if err != nil {
			return err
		}
		for _, e := range epochs {
			n, err := parseUint64(e.Key[1:])
			if err != nil {
				return fmt.Errorf("%w: epoch key", err)
			}
			if n >= uint64(epoch) {
				return nil
			}
			if err := s.drop(ctx, attester.Epoch(n)); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		from = next
	}
}

// drop first marks the epoch as dropped, so that nothing is charged to it while or
// after its charges go; then drops them; then forgets that it had any. A crash in
// between leaves work that the next DropBefore finds.
func (s *Store) drop(ctx context.Context, epoch attester.Epoch) error {
	err := s.db.Submit(ctx, func(tx *badger.Tx) error {
		tx.Put(epochKey(kindDropped, epoch), present)
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.db.DropPrefix(ctx, epochKey(kindCharge, epoch)); err != nil {
		return err
	}
	return s.db.Submit(ctx, func(tx *badger.Tx) error {
		tx.Delete(epochKey(kindEpoch, epoch))
		return nil
	})
}
