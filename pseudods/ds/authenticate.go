package ds

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// authenticate checks the signature and counts the request for the limits of
// its group and leaf, in this order: who cannot sign for a group cannot use up
// what it may do.
func (r *request) authenticate(op *operation) error {
	var key []byte
	var suite *mls.Suite
	var err error
	switch r.Auth.Type {
	case wire.AuthNone:
		return nil
	case wire.AuthLeaf:
		var leaf *mls.LeafNode
		if leaf, err = r.public.Leaf(r.Auth.Leaf); err != nil {
			return errors.Join(notAllowed, err)
		}
		key, r.signer = leaf.SignatureKey, leaf
		suite, err = r.suite()
	case wire.AuthJoiner:
		if key, err = op.signer(r); err == nil {
			suite, err = r.suite()
		}
	case wire.AuthUser:
		if key, err = userOfCommit(r); err == nil {
			suite, err = mls.X25519AES128GCM.Suite() // of those with Ed25519
		}
	}
	if err != nil {
		return err
	}
	tbs, err := r.TBS()
	if err != nil {
		return err
	}
	if suite.VerifyWithLabel(key, wire.SignatureLabel, tbs, r.Auth.Signature) != nil {
		return notAllowed
	}
	if !op.changes || r.payment != nil {
		return nil
	}
	return r.limit(key)
}

// limit counts a request that was not paid for.
func (r *request) limit(key []byte) error {
	wait := time.Duration(0)
	switch r.Auth.Type {
	case wire.AuthLeaf:
		wait = r.service.limiter.take(leafKey(r.group.id, r.Auth.Leaf, key), r.service.cfg.PerLeaf, r.now)
	case wire.AuthUser:
		wait = r.service.limiter.take(userKey(r.group.id, key), r.service.cfg.PerLeaf, r.now)
	}
	if wait == 0 {
		wait = r.service.limiter.take(groupKey(r.group.id), r.service.cfg.PerGroup, r.now)
	}
	if wait > 0 {
		return &wire.Error{Code: wire.CodeRateLimited, RetryAfter: uint32((wait + time.Second - 1) / time.Second)}
	}
	return nil
}

// suite is that of the group, or of the one to be.
func (r *request) suite() (*mls.Suite, error) {
	if r.public != nil {
		return r.public.Suite(), nil
	}
	switch b := r.body.(type) {
	case *wire.CreateGroup:
		info, err := groupInfo(b.GroupInfo)
		if err != nil {
			return nil, err
		}
		return info.GroupContext.CipherSuite.Suite()
	case *wire.GroupQuery:
		c, _, err := r.group.openJoin(r.GroupStateKey, r.Auth.KeyID)
		if err != nil {
			return nil, err
		}
		return c.suite.Suite()
	}
	panic("ds: no group to take the suite from")
}

// creator returns the signature key of the one leaf of a new group.
func creator(r *request) ([]byte, error) {
	var t mls.RatchetTree
	if err := mls.Unmarshal(r.body.(*wire.CreateGroup).Tree, &t); err != nil {
		return nil, err
	}
	if len(t) != 1 || t[0].Leaf == nil {
		return nil, publicgroup.ErrNotNew
	}
	return t[0].Leaf.SignatureKey, nil
}

func joinerOfWelcome(r *request) ([]byte, error) {
	c, _, err := r.group.openJoin(r.GroupStateKey, r.Auth.KeyID)
	if err != nil {
		return nil, err
	}
	return c.signatureKey, nil
}

// joiningLeaf returns the leaf that a commit from outside brings.
func joiningLeaf(r *request) (*mls.LeafNode, error) {
	var m mls.Message
	if err := mls.Unmarshal(r.body.(*wire.GroupCommit).Commit, &m); err != nil {
		return nil, err
	}
	if m.PublicMessage == nil || m.PublicMessage.Content.Commit == nil || m.PublicMessage.Content.Commit.Path == nil {
		return nil, publicgroup.ErrContentType
	}
	return &m.PublicMessage.Content.Commit.Path.LeafNode, nil
}

func joinerOfCommit(r *request) ([]byte, error) {
	leaf, err := joiningLeaf(r)
	if err != nil {
		return nil, err
	}
	return leaf.SignatureKey, nil
}

// userOfCommit returns the key of the user whose client a commit from outside
// brings back. That it is the user of the leaf that goes follows from the
// credentials, which must be equal.
func userOfCommit(r *request) ([]byte, error) {
	leaf, err := joiningLeaf(r)
	if err != nil {
		return nil, err
	}
	name, err := wire.ParseMemberName(r.policy.Profile, &leaf.Credential)
	if err != nil {
		return nil, err
	}
	if name.Credential == nil {
		return nil, notAllowed
	}
	id := sha256.Sum256(name.Credential.UserAuthKey)
	if subtle.ConstantTimeCompare(id[:], r.Auth.KeyID) != 1 {
		return nil, notAllowed
	}
	return name.Credential.UserAuthKey, nil
}
