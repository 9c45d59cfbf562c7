package ds

import (
	"github.com/pseudods/pseudods/mls"
)

// keptKinds stay when a group is deleted: the answers to its last requests, until
// they expire, and the head, so that nobody creates the group anew.
var keptKinds = map[byte]bool{keyHead: true, keyNonce: true, keyExpiry: true}

var allKinds = []byte{keyHead, keyHeader, keyLink, keyNode, keyStale, keyPublic, keyProposal, keyRetained, keyMembers, keyUser, keyJoin, keyJoins, keyRoster, keyOutcome, keyAccess, keyActivity, keyNonce, keyExpiry}

// doDelete deletes a group whose last member asks for it. Messages that wait
// still go out, among them the commits that removed the others.
func doDelete(r *request) (mls.Marshaler, error) {
	may, err := r.signerMayManage()
	if err != nil {
		return nil, err
	}
	if !may || r.public.Tree().Members() != 1 && r.public.Header().ReInit == nil {
		return nil, notAllowed
	}
	g, answer := r.group, r.accepted()
	for _, kind := range allKinds {
		if keptKinds[kind] {
			continue
		}
		for from := []byte{kind}; ; {
			found, err := g.read(Lookup{Key: from, Prefix: 1})
			if err != nil {
				return nil, err
			}
			if found[0].Key == nil {
				break
			}
			if g.delete(found[0].Key); len(g.deletes) > MaxWrites {
				return nil, errTooLarge
			}
			from = append(found[0].Key, 0)
		}
	}
	g.drop()
	g.head, g.rewriteHead = head{}, true
	return answer, nil
}
