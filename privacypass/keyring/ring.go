package keyring

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pseudods/pseudods/internal/filelock"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

// Config of a [Ring].
type Config struct {
	// Dir holds the key files. It is made with mode 0700 if absent; wider modes
	// are refused. Its parent must exist.
	Dir string
	// Slots are to have keys. Files of other slots are left alone.
	Slots []Slot
	// Schedule of all slots.
	Schedule Schedule
	// Rand is where keys come from. Blind RSA keys use Go's own source.
	Rand io.Reader
}

// maxSlots of one token type. A new key's truncated identifier is unlike that of
// any other live key of its type; with two keys each, this many slots leave half
// of the 256 values free.
const maxSlots = 64

// Ring applies a schedule to a directory. Its methods may be called
// concurrently.
type Ring struct {
	config Config
	dir    directory

	// mu guards keys.
	mu   sync.Mutex
	keys []*Key // in order of slot and start; replaced, never changed
}

// Open reads the directory, creating it if need be. It makes no keys: call
// [Ring.Advance] before the first use.
func Open(c Config) (*Ring, error) {
	if err := c.Schedule.Validate(); err != nil {
		return nil, err
	}
	perType := make(map[Slot]int)
	for i, s := range c.Slots {
		if err := CheckClass(s.Class); err != nil {
			return nil, fmt.Errorf("%w: %q", err, s.Class)
		}
		if _, err := s.Type.Params(); err != nil {
			return nil, err
		}
		if slices.Contains(c.Slots[:i], s) {
			return nil, fmt.Errorf("keyring: class %s has type %v twice", s.Class, s.Type)
		}
		if perType[Slot{Type: s.Type}]++; perType[Slot{Type: s.Type}] > maxSlots {
			return nil, fmt.Errorf("keyring: more than %d classes of type %v", maxSlots, s.Type)
		}
	}
	r := &Ring{config: c, dir: directory(c.Dir)}
	if err := r.dir.create(); err != nil {
		return nil, err
	}
	return r, r.Reload()
}

// Reload reads the directory again, after another program may have changed it.
func (r *Ring) Reload() error {
	keys, err := r.dir.load()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = keys
	return nil
}

// Advance reads the directory and does what the schedule says is due: it removes
// retired keys, then makes new ones. Each step is durable by itself and leaves a
// directory from which the same call goes on.
func (r *Ring) Advance(now time.Time) error {
	return r.change(func(keys []*Key) error {
		for _, slot := range r.config.Slots {
			live := ofSlot(keys, slot)
			remove, next := r.config.Schedule.Plan(starts(live), now)
			for _, k := range live[:remove] {
				if err := r.dir.remove(k); err != nil {
					return err
				}
				keys = without(keys, k)
			}
			if next.IsZero() {
				continue
			}
			k, err := r.generate(slot, next, keys)
			if err != nil {
				return err
			}
			keys = append(keys, k)
		}
		return nil
	})
}

// Rotation is how [Ring.Rotate] brings in a new key.
type Rotation int

const (
	// Ahead announces a key that starts a lead from now, as the schedule does.
	Ahead Rotation = iota
	// AtOnce makes a key that starts now, for which another live key beside the
	// preferred one has to go. Clients with a cached directory go on with the old
	// key until it is retired.
	AtOnce
	// Compromised removes all live keys and makes a key that starts now. Tokens
	// of the removed keys are lost.
	Compromised
)

// ErrTwoKeys: a further key would be the third.
var ErrTwoKeys = errors.New("keyring: the slot has two live keys")

// Rotate brings in a new key ahead of the schedule, which goes on from the new
// key's start. The error is [ErrTwoKeys] if there is no room to rotate
// [Ahead].
func (r *Ring) Rotate(slot Slot, how Rotation, now time.Time) error {
	if !slices.Contains(r.config.Slots, slot) {
		return fmt.Errorf("keyring: no slot %s %v", slot.Class, slot.Type)
	}
	return r.change(func(keys []*Key) error {
		live := ofSlot(keys, slot)
		start := now.Truncate(time.Second)
		if how == Ahead {
			start = start.Add(r.config.Schedule.Lead)
			if len(live) > 1 {
				return ErrTwoKeys
			}
		}
		// Newest first: a crash leaves keys that are in use, not ones to come.
		keep := preferred(live, now)
		for i, k := range slices.Backward(live) {
			switch {
			case how == Compromised, how == AtOnce && (i != keep || k.NotBefore.After(now)):
				if err := r.dir.remove(k); err != nil {
					return err
				}
				// It stays in keys: a request for it must not seem to name the new one.
			case start.Equal(k.NotBefore):
				start = start.Add(time.Second) // no two starts alike
			}
		}
		_, err := r.generate(slot, start, keys)
		return err
	})
}

// change runs f on the keys of the directory under its lock, and reads the
// directory again whatever f did.
func (r *Ring) change(f func([]*Key) error) (err error) {
	lock, err := filelock.Wait(filepath.Join(string(r.dir), lockName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := r.dir.sweep(); err != nil {
		return err
	}
	keys, err := r.dir.load()
	if err != nil {
		return err
	}
	return errors.Join(f(keys), r.Reload())
}

// generate makes and writes a key whose truncated identifier no other key of
// its type has. Of 256 values at most half are taken, so that a few attempts
// nearly always do; a random source that is stuck ends in an error.
func (r *Ring) generate(slot Slot, start time.Time, keys []*Key) (*Key, error) {
	for range 128 {
		private, err := issuer.GenerateKey(slot.Type, r.config.Rand)
		if err != nil {
			return nil, err
		}
		taken := slices.ContainsFunc(keys, func(k *Key) bool {
			return k.Slot.Type == slot.Type && k.ID().Truncated() == private.ID().Truncated()
		})
		if taken {
			continue
		}
		k := &Key{slot, start, private}
		return k, r.dir.add(k)
	}
	return nil, issuer.ErrKeyCollision
}

// All returns the keys of the directory, also those of slots that are not
// configured, in order of class, type and start.
func (r *Ring) All() []*Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.keys)
}

// Live returns the live keys of a slot in order of preference at a time: the one
// that started last, then those to come, then those that are running out.
func (r *Ring) Live(slot Slot, now time.Time) []*Key {
	r.mu.Lock()
	keys := r.keys
	r.mu.Unlock()
	live := ofSlot(keys, slot)
	if len(live) == 0 {
		return nil
	}
	p := preferred(live, now)
	return slices.Concat(live[p:], live[:p])
}

// Retires returns when the schedule retires a live key, and false as long as no
// later key stands by.
func (r *Ring) Retires(k *Key) (time.Time, bool) {
	r.mu.Lock()
	keys := r.keys
	r.mu.Unlock()
	for _, later := range ofSlot(keys, k.Slot) {
		if later.NotBefore.After(k.NotBefore) {
			return later.NotBefore.Add(r.config.Schedule.Overlap), true
		}
	}
	return time.Time{}, false
}

// Next returns when [Ring.Advance] is to be called, or the order of preference
// changes, for the first time after now.
func (r *Ring) Next(now time.Time) time.Time {
	r.mu.Lock()
	keys := r.keys
	r.mu.Unlock()
	next := now.Add(r.config.Schedule.Period)
	for _, slot := range r.config.Slots {
		if live := ofSlot(keys, slot); len(live) == 0 {
			return now
		} else if at := r.config.Schedule.Next(starts(live), now); at.Before(next) {
			next = at
		}
	}
	return next
}

// Schedule returns the schedule.
func (r *Ring) Schedule() Schedule { return r.config.Schedule }

// preferred returns the index of the key that started last, or 0 if none has.
func preferred(live []*Key, now time.Time) (p int) {
	for i, k := range live {
		if !k.NotBefore.After(now) {
			p = i
		}
	}
	return p
}

func ofSlot(keys []*Key, slot Slot) (live []*Key) {
	for _, k := range keys {
		if k.Slot == slot {
			live = append(live, k)
		}
	}
	return live
}

func without(keys []*Key, gone *Key) []*Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k *Key) bool { return k == gone })
}

func starts(live []*Key) (t []time.Time) {
	for _, k := range live {
		t = append(t, k.NotBefore)
	}
	return t
}
