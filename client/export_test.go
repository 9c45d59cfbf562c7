package client

import (
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// PackageNote is the answer of a device that is asked into a group.
func PackageNote(id wire.GroupID, p *mls.KeyPackage, link identity.LinkKey) ([]byte, error) {
	encoded, err := mls.Marshal(p)
	if err != nil {
		return nil, err
	}
	return mls.Marshal(&note{kind: notePackage, group: id, keyPackage: encoded, link: link.Bytes})
}
