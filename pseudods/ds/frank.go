package ds

import (
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// errNoTag: a message that must be franked has nothing that could be.
var errNoTag = errors.New("ds: message without a franking tag")

// frank signs that the member who signed the request brought a message with this
// tag. A member with a [wire.PseudonymousCredential] must bring one. Others, whom
// no report could name, get no frank.
func (r *request) frank(m *mls.PrivateMessage) (*wire.Frank, error) {
	name, err := wire.ParseMemberName(r.policy.Profile, &r.signer.Credential)
	if err != nil {
		return nil, errors.Join(errStore, err)
	}
	if name.Credential == nil {
		return nil, nil
	}
	if len(m.AuthenticatedData) != wire.FrankingTagSize {
		return nil, errNoTag
	}
	if len(r.service.cfg.Signers) == 0 {
		return nil, nil
	}
	sender, err := wire.FrankedSender(&r.signer.Credential, r.signer.SignatureKey)
	if err != nil {
		return nil, errors.Join(errStore, err)
	}
	f := &seal.Franked{Domain: r.service.cfg.Domain, Group: r.group.id, Sender: sender, Epoch: m.Epoch, Tag: wire.FrankingTag(m.AuthenticatedData)}
	return f.Frank(r.service.cfg.Signers[0], uint64(r.day()))
}
