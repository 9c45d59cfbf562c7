package server

import (
	"time"

	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// provider returns the present provider document.
func (s *Server) provider() *httpapi.Provider {
	c := &s.cfg
	p := &httpapi.Provider{
		Domain: c.Domain, Versions: []wire.Version{wire.Version1},
		DS: s.URL(DS), QS: s.URL(QS), Issuer: s.URL(Issuer),
		Profiles: c.DS.Profiles, Prices: c.Prices, Scope: c.Scope, Keys: [][]byte{},
		Limits: httpapi.Limits{
			MaxRequest: c.DS.maxRequest(), MaxMembers: c.DS.MaxMembers, MaxMessage: c.DS.MaxMessage, RequestLife: uint32(maxAhead / time.Second),
			QueueEntries: int(c.QS.MaxEntries), QueueTTL: uint32(c.QS.MaxTTLDays) * 24 * 60 * 60, MaxWait: uint32(time.Duration(c.QS.MaxWait) / time.Second),
		},
	}
	if s.ds != nil {
		p.Keys = published(s.ds.keys)
	}
	return p
}
