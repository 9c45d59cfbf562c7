package ds

import (
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
)

// joinName is the key of a joiner's record. It takes the group state key of the
// epoch to find it: the reference of a KeyPackage alone is known to whoever had
// the KeyPackage.
func joinName(stateKey secret.Bytes, ref mls.KeyPackageRef) ([]byte, error) {
	k, err := hkdf.Expand(sha256.New, stateKey.Reveal(), "pseudods 1.0 joiner name", sha256.Size)
	if err != nil {
		return nil, err
	}
	return keyedName(secret.New(k), keyJoin, ref), nil
}

// addJoins writes a record for each of those that the session's commit adds.
// The session's keys and header are already those of the new epoch, whose group
// state key is given.
func (s *session) addJoins(stateKey secret.Bytes, refs []mls.KeyPackageRef, contents []joinContent) error {
	if len(refs) == 0 {
		return nil
	}
	epoch := s.header.group.Context.Epoch
	wrapped, err := s.keys.Wrap(s.rand, stateKey, epoch)
	if err != nil {
		return err
	}
	var names []byte
	for i, ref := range refs {
		key, err := joinName(stateKey, ref)
		if err != nil {
			return err
		}
		content, err := mls.Marshal(&contents[i])
		if err != nil {
			return err
		}
		sealed, err := s.keys.Seal(s.rand, namedPlace(atrest.KindJoin, key), content)
		if err != nil {
			return err
		}
		record, err := mls.Marshal(&join{epoch, s.keys.Generation(), wrapped, sealed})
		if err != nil {
			return err
		}
		s.putPlain(key, record)
		names = append(names, key...)
	}
	s.putPlain(number64(keyJoins, epoch), names)
	return nil
}

// forgetJoins removes the records of an epoch's joiners.
func (s *session) forgetJoins(epoch uint64) error {
	key := number64(keyJoins, epoch)
	names, err := s.get(key)
	if err != nil {
		return err
	}
	for ; len(names) >= 1+nameSize; names = names[1+nameSize:] {
		s.delete(names[:1+nameSize])
	}
	s.delete(key)
	return nil
}

// openJoin opens what waits for a joiner, with the group state key of its epoch
// alone. The session then reads records up to that epoch. It fails with
// [atrest.ErrKey] if there is nothing.
func (s *session) openJoin(stateKey secret.Bytes, ref mls.KeyPackageRef) (*joinContent, *tree.Tree, error) {
	if stateKey.Len() != atrest.KeySize {
		return nil, nil, atrest.ErrKey
	}
	key, err := joinName(stateKey, ref)
	if err != nil {
		return nil, nil, err
	}
	record, err := s.get(key)
	if err != nil {
		return nil, nil, err
	}
	var j join
	if record == nil || mls.Unmarshal(record, &j) != nil {
		return nil, nil, atrest.ErrKey
	}
	if s.keys, err = atrest.Unwrap(s.id[:], stateKey, j.epoch, j.generation, j.wrapped, s.link); err != nil {
		return nil, nil, err
	}
	c := new(joinContent)
	if err := s.decode(j.sealed, namedPlace(atrest.KindJoin, key), c); err != nil {
		return nil, nil, err
	}
	suite, err := c.suite.Suite()
	if err != nil {
		return nil, nil, err
	}
	t := tree.New(suite, treeStore{s}, tree.Version(j.epoch), tree.Header{Size: c.size, Hash: c.hash})
	return c, t, nil
}
