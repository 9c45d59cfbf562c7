package postgres

import (
	"context"
	"fmt"
)

// place returns which shard the database is; of none, it is not known.
func (i *inspection) place(ctx context.Context) (p place, err error) {
	var shard bool
	err = i.conn.QueryRow(ctx, "select to_regclass('shard.place') is not null").Scan(&shard)
	if err == nil && shard {
		var told *place
		if told, err = placeOf(ctx, i.conn); told != nil {
			p = *told
		}
	}
	if err != nil {
		return place{}, i.fail(ctx, err)
	}
	return p, nil
}

// is checks that a shard is at a place of a list. The first one tells of which whole the
// others must be.
func (p *place) is(at place) error {
	if at.count == 0 {
		return fmt.Errorf("%w: nobody told it which one it is", ErrConfig)
	}
	if p.whole == nil {
		p.whole = at.whole
	}
	return at.check(*p)
}

// InspectShards inspects each shard of a list, as [Inspect] does, and tells report, if
// that is not nil, of its findings with its number. Tallies are of all shards together. One that is not what the
// list says, or of other shards than the first, is refused with [ErrConfig]. Where the
// list has several hosts the first that answers is asked, which may be a standby.
func InspectShards(ctx context.Context, s Sharding, walks []Walk, report func(shard int, f Finding), schemas ...Schema) (all Summary, err error) {
	if err := s.validate(); err != nil {
		return Summary{}, err
	}
	want := place{count: len(s.Shards)}
	for n := range s.Shards {
		want.number = n
		summary, err := inspect(ctx, s.shard(n), &want, walks, func(f Finding) {
			if report != nil {
				report(n, f)
			}
		}, schemas)
		if err != nil {
			return Summary{}, fmt.Errorf("shard %d: %w", n, err)
		}
		if all.Findings += summary.Findings; n == 0 {
			all.Tallies = summary.Tallies
			continue
		}
		for i, t := range summary.Tallies {
			all.Tallies[i].Records += t.Records
			all.Tallies[i].Octets += t.Octets
		}
	}
	return all, nil
}
