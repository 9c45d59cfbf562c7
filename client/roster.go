package client

import (
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// linkKey returns the key of a member's identity link: from the roster, or as
// the member itself told it.
func (g *Group) linkKey(p wire.Pseudonym) (identity.LinkKey, bool) {
	if g.roster != nil {
		if k, err := g.roster.LinkKey(p); err == nil {
			return k, true
		}
	}
	k, ok := g.told[p]
	return k, ok
}

// openRoster reads the roster, if its key and all of its parts are there. A
// part that does not open was made by a member who breaks the rules: what came
// before it still counts, and the next generation leaves it behind.
func (g *Group) openRoster() {
	g.roster = nil
	if g.rosterKey.IsZero() {
		return
	}
	id := g.ID()
	for n := len(g.parts); n >= 0; n-- {
		if r, err := identity.OpenRoster(id[:], g.generation, g.rosterKey, g.parts[:n]); err == nil {
			g.roster = r
			g.stale = g.stale || n < len(g.parts)
			return
		}
	}
}

// setRoster takes over a roster as the service has it.
func (g *Group) setRoster(r *wire.Roster, key secret.Bytes) {
	g.generation, g.parts, g.rosterKey = 0, nil, key
	if r != nil {
		g.generation, g.parts = r.Generation, r.Parts
	}
	g.openRoster()
}

// takePart follows a commit in the roster. The group is in the epoch that the
// commit began, whose secrets give the key of a new generation.
func (g *Group) takePart(p *wire.RosterPart) error {
	switch {
	case p == nil:
		return nil
	case p.Generation == g.generation && len(g.parts) > 0:
		g.parts = append(g.parts, p.Part)
	case p.Generation == g.generation+1 || len(g.parts) == 0:
		key, err := g.exportRosterKey(g.mls.Export)
		if err != nil {
			return err
		}
		g.generation, g.parts, g.rosterKey, g.stale = p.Generation, [][]byte{p.Part}, key, false
	default:
		return nil
	}
	g.openRoster()
	for p := range g.told {
		if g.roster != nil {
			if _, err := g.roster.LinkKey(p); err == nil {
				delete(g.told, p)
			}
		}
	}
	return nil
}

func (g *Group) exportRosterKey(export func(string, []byte, int) (secret.Bytes, error)) (secret.Bytes, error) {
	id := g.ID()
	return export(wire.RosterKeyLabel, id[:], wire.RosterKeySize)
}

// nextPart makes what the pending commit does to the roster, and returns the
// key and generation that newcomers need afterwards. Without the key of a roster
// that is there it makes nothing.
func (g *Group) nextPart(c *group.Committed, newcomers map[wire.Pseudonym]identity.LinkKey) (part *wire.RosterPart, generation uint64, key secret.Bytes, err error) {
	if g.roster == nil && len(g.parts) > 0 {
		return nil, 0, secret.Bytes{}, nil
	}
	all := map[wire.Pseudonym]identity.LinkKey{}
	for p, k := range g.told {
		all[p] = k
	}
	for p, k := range newcomers {
		all[p] = k
	}
	if g.roster == nil {
		return g.firstPart(all)
	}
	removed := pseudonyms(c)
	if len(removed) == 0 && !g.stale && len(g.parts) < maxParts {
		generation, key = g.roster.Key()
		if len(all) == 0 {
			return nil, generation, key, nil
		}
		b, err := g.roster.Add(g.c.rand, all)
		return &wire.RosterPart{Generation: generation, Part: b}, generation, key, err
	}
	if key, err = g.exportRosterKey(g.mls.PendingExport); err != nil {
		return nil, 0, key, err
	}
	next, b, err := g.roster.Next(g.c.rand, key, removed, all)
	if err != nil {
		return nil, 0, key, err
	}
	if len(b) > wire.MaxRosterPart {
		// The group is too large for one part: the old generation goes on.
		generation, key = g.roster.Key()
		return nil, generation, key, nil
	}
	generation, _ = next.Key()
	return &wire.RosterPart{Generation: generation, Part: b}, generation, key, nil
}

// maxParts is after how many parts a generation ends, so that newcomers read
// few. The service takes twice as many.
const maxParts = 128

// firstPart begins the roster of a group that has none, since its creator keeps
// none.
func (g *Group) firstPart(all map[wire.Pseudonym]identity.LinkKey) (*wire.RosterPart, uint64, secret.Bytes, error) {
	key, err := g.exportRosterKey(g.mls.PendingExport)
	if err != nil {
		return nil, 0, key, err
	}
	own := &g.persona.Pseudonym
	all[own.Credential.Client] = own.LinkKey
	b, err := identity.NewRoster(g.id[:], key).Add(g.c.rand, all)
	return &wire.RosterPart{Part: b}, 0, key, err
}

// pseudonyms are those of the clients that a commit removes for good.
func pseudonyms(c *group.Committed) []wire.Pseudonym {
	var out []wire.Pseudonym
	for _, r := range c.Removed {
		name, err := wire.ParseMemberName(wire.ProfilePseudonymous, &r.Old.Credential)
		if err == nil && name.Credential != nil {
			out = append(out, name.Credential.Client)
		}
	}
	return out
}
