package tree

import (
	"bytes"
	"fmt"
	"slices"
)

// keyring counts how an edit changes the use of keys. Whether keys are unique
// is a question to the final state: a key that one change frees may come back
// with another.
type keyring struct {
	store Store
	uses  map[KeyHash]*keyUse
}

type keyUse struct {
	delta int
	known bool // base was looked up
	base  int  // 1 if the store's index has the key, else 0
}

func (k *keyring) use(h KeyHash, delta int) {
	u := k.uses[h]
	if u == nil {
		u = new(keyUse)
		k.uses[h] = u
	}
	u.delta += delta
}

// look asks the store about those of the keys that it was not asked about yet.
func (k *keyring) look(hs []KeyHash) error {
	unknown := hs[:0:0]
	for _, h := range hs {
		k.use(h, 0)
		if !k.uses[h].known {
			unknown = append(unknown, h)
		}
	}
	batch, ok := k.store.(BatchStore)
	if !ok || len(unknown) < 2 {
		for _, h := range unknown {
			has, err := k.store.HasKey(h)
			if err != nil {
				return err
			}
			k.uses[h].learn(has)
		}
		return nil
	}
	has, err := batch.HasKeys(unknown)
	if err != nil {
		return err
	}
	if len(has) != len(unknown) {
		return fmt.Errorf("%w: number of answers", ErrInconsistent)
	}
	for i, h := range unknown {
		k.uses[h].learn(has[i])
	}
	return nil
}

func (u *keyUse) learn(has bool) {
	u.known = true
	if has {
		u.base = 1
	}
}

// anyPresent reports whether one of the keys is in use as things stand.
func (k *keyring) anyPresent(hs []KeyHash) (bool, error) {
	if err := k.look(hs); err != nil {
		return false, err
	}
	for _, h := range hs {
		if u := k.uses[h]; u.base+u.delta > 0 {
			return true, nil
		}
	}
	return false, nil
}

// check fails with ErrDuplicateKey if a key is in use twice. It asks the store
// about keys that came in and not about those that went.
func (k *keyring) check() error {
	var came []KeyHash
	for h, u := range k.uses {
		if u.delta > 0 {
			came = append(came, h)
		}
	}
	if err := k.look(came); err != nil {
		return err
	}
	for _, h := range came {
		if u := k.uses[h]; u.base+u.delta > 1 {
			return ErrDuplicateKey
		}
	}
	return nil
}

// changes returns the keys that came and those that went, for unique keys.
func (k *keyring) changes() (added, removed []KeyHash) {
	for h, u := range k.uses {
		switch {
		case u.delta > 0:
			added = append(added, h)
		case u.delta < 0:
			removed = append(removed, h)
		}
	}
	slices.SortFunc(added, compareKeys)
	slices.SortFunc(removed, compareKeys)
	return added, removed
}

func compareKeys(a, b KeyHash) int { return bytes.Compare(a[:], b[:]) }

// CheckKeys fails with [ErrDuplicateKey] if an encryption key stands at two
// nodes or a signature key at two leaves (RFC 9420, Section 7.3), as the tree
// stands now. [Edit.Changes] asks the same.
func (e *Edit) CheckKeys() error { return e.keys.check() }
