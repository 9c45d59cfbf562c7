package tree

import (
	"bytes"
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

func (k *keyring) look(h KeyHash, u *keyUse) error {
	if u.known {
		return nil
	}
	has, err := k.store.HasKey(h)
	if err != nil {
		return err
	}
	u.known = true
	if has {
		u.base = 1
	}
	return nil
}

// present reports whether the key is in use as things stand.
func (k *keyring) present(h KeyHash) (bool, error) {
	k.use(h, 0)
	u := k.uses[h]
	if err := k.look(h, u); err != nil {
		return false, err
	}
	return u.base+u.delta > 0, nil
}

// check fails with ErrDuplicateKey if a key is in use twice. It asks the store
// about keys that came in and not about those that went.
func (k *keyring) check() error {
	for h, u := range k.uses {
		if u.delta <= 0 {
			continue
		}
		if err := k.look(h, u); err != nil {
			return err
		}
		if u.base+u.delta > 1 {
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
