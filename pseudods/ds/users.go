package ds

import (
	"slices"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// rules are the decisions that RFC 9420 leaves to the application: a leaf's
// successor, and whoever rejoins, keeps its names.
var rules = epoch.Rules{
	Successor: func(old, new *mls.LeafNode) bool { return old.Credential.Equal(&new.Credential) },
}

// user returns the name and the record of a leaf's user.
func (s *session) user(leaf *mls.LeafNode) (key []byte, of leaves, err error) {
	name, err := wire.ParseMemberName(s.profile, &leaf.Credential)
	if err != nil {
		return nil, nil, err
	}
	key = s.name(keyUser, []byte(name.User))
	if p, ok := s.sealed[string(key)]; ok {
		return key, of, mls.Unmarshal(p.plain, &of)
	}
	if s.deletes[string(key)] {
		return key, nil, nil
	}
	_, err = s.load(key, namedPlace(atrest.KindUser, key), &of)
	return key, of, err
}

// addUser notes that a leaf is of its user.
func (s *session) addUser(l mls.LeafIndex, leaf *mls.LeafNode) error {
	key, of, err := s.user(leaf)
	if err != nil {
		return err
	}
	at, found := slices.BinarySearch(of, l)
	if !found {
		of = slices.Insert(of, at, l)
	}
	return s.put(key, namedPlace(atrest.KindUser, key), &of)
}

// removeUser forgets that a leaf was of its user.
func (s *session) removeUser(l mls.LeafIndex, leaf *mls.LeafNode) error {
	key, of, err := s.user(leaf)
	if err != nil {
		return err
	}
	if of = slices.DeleteFunc(of, func(o mls.LeafIndex) bool { return o == l }); len(of) == 0 {
		s.delete(key)
		return nil
	}
	return s.put(key, namedPlace(atrest.KindUser, key), &of)
}
