package group

import (
	"bytes"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
)

// resumption is the resumption PSK of a past epoch.
type resumption struct {
	epoch uint64
	psk   secret.Bytes
}

// psks finds the keys that ids name, or fails with [ErrPSK].
func (g *Group) psks(ids []mls.PreSharedKeyID, known []mls.PSK) ([]mls.PSK, error) {
	own := func(id *mls.PreSharedKeyID) secret.Bytes {
		if !bytes.Equal(id.GroupID, g.GroupID()) {
			return secret.Bytes{}
		}
		if id.Epoch == g.Epoch() && g.now.secrets != nil {
			return g.now.secrets.Resumption
		}
		for _, r := range g.resume {
			if r.epoch == id.Epoch {
				return r.psk
			}
		}
		return secret.Bytes{}
	}
	return g.cfg.findPSKs(ids, known, own)
}

// findPSKs looks PSKs up among known ones, in own, which may be nil, and in the
// application's store.
func (c *Config) findPSKs(ids []mls.PreSharedKeyID, known []mls.PSK, own func(*mls.PreSharedKeyID) secret.Bytes) ([]mls.PSK, error) {
	out := make([]mls.PSK, len(ids))
	for i := range ids {
		key, err := c.findPSK(&ids[i], known, own)
		if err != nil {
			return nil, err
		}
		if key.IsZero() {
			return nil, fmt.Errorf("%w: number %d of the list", ErrPSK, i)
		}
		out[i] = mls.PSK{ID: ids[i], Key: key}
	}
	return out, nil
}

func (c *Config) findPSK(id *mls.PreSharedKeyID, known []mls.PSK, own func(*mls.PreSharedKeyID) secret.Bytes) (secret.Bytes, error) {
	for i := range known {
		if k := &known[i].ID; k.Type == id.Type && k.Usage == id.Usage && k.Epoch == id.Epoch &&
			bytes.Equal(k.ID, id.ID) && bytes.Equal(k.GroupID, id.GroupID) {
			return known[i].Key, nil
		}
	}
	if id.Type == mls.PSKTypeResumption && own != nil {
		if key := own(id); !key.IsZero() {
			return key, nil
		}
	}
	switch {
	case c.PSKs == nil:
		return secret.Bytes{}, nil
	case id.Type == mls.PSKTypeExternal:
		return c.PSKs.ExternalPSK(id.ID)
	case id.Usage != mls.ResumptionPSKUsageApplication:
		return secret.Bytes{}, nil // must come from the group that is continued
	}
	return c.PSKs.ResumptionPSK(id.GroupID, id.Epoch)
}
