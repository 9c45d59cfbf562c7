package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/pseudods/pseudods/storage/move"
)

// spread says to which shard a row goes that is moved, as its schema's [Routing] says
// where servers look for it.
type spread struct {
	shards int
	rules  map[string]rule

	// mu guards what follows.
	mu sync.Mutex
	// under has the shards of numbers that rows of other tables refer to, by table.
	under map[string]map[int64]int
}

// rule is that of a table. Exactly one of its ways is used.
type rule struct {
	column int // that has the key, or the number of a row of the table under
	octet  int
	under  string
	number int // the column of rows that others lie under; negative if none do
	all    bool
}

// everywhere is the place of a row that all shards have.
const everywhere = -1

func newSpread(shards int, tables []Table, schemas []Schema) (*spread, error) {
	s := &spread{shards: shards, rules: map[string]rule{}, under: map[string]map[int64]int{}}
	for i := range tables {
		t := &tables[i]
		part := t.split()
		n := slices.IndexFunc(schemas, func(s Schema) bool { return s.Name == part[0] })
		if n < 0 {
			return nil, fmt.Errorf("%w: %s is in no schema", ErrRoute, t.Name)
		}
		p, ok := schemas[n].Routing.Tables[part[1]]
		r := rule{column: slices.Index(t.Columns, p.Column), octet: p.Octet, number: -1}
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: no shard is declared for the rows of %s", ErrRoute, t.Name)
		case t.Under != nil:
			r.under, r.column = t.Under.Table, slices.Index(t.Columns, t.Under.Column)
		case p.Column == "" && p.Copied:
			r.all, r.column = true, 0
		}
		if r.column < 0 {
			return nil, fmt.Errorf("%w: a row of %s does not say where it lies", ErrRoute, t.Name)
		}
		s.rules[t.Name] = r
	}
	for i := range tables {
		u := tables[i].Under
		if u == nil {
			continue
		}
		over, ok := s.rules[u.Table]
		if ok {
			over.number = slices.Index(find(tables, u.Table).Columns, u.Number)
		}
		if !ok || over.number < 0 || over.all {
			return nil, fmt.Errorf("%w: rows of %s lie under no row of %s", ErrRoute, tables[i].Name, u.Table)
		}
		s.rules[u.Table] = over
	}
	s.forget()
	return s, nil
}

// forget forgets what was loaded.
func (s *spread) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for table, r := range s.rules {
		if r.number >= 0 {
			s.under[table] = map[int64]int{}
		}
	}
}

// look finds out which numbers are in each shard.
func (s *spread) look(ctx context.Context, targets []*target) error {
	for table, r := range s.rules {
		if r.number < 0 {
			continue
		}
		for _, t := range targets {
			err := t.each(ctx, find(t.tables, table), func(values []any) error {
				_, err := s.place(find(t.tables, table), values)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// everywhere reports whether all shards have the rows of a table.
func (s *spread) everywhere(t *Table) bool { return s.rules[t.Name].all }

// place returns the shard of a row, or everywhere.
func (s *spread) place(t *Table, values []any) (int, error) {
	r := s.rules[t.Name]
	if r.all {
		return everywhere, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.under != "" {
		number, ok := integer(values[r.column])
		shard, known := s.under[r.under][number]
		if !ok || !known {
			return 0, fmt.Errorf("%w: %s has rows under none of %s", move.ErrDiffers, t.Name, r.under)
		}
		return shard, nil
	}
	var shard int
	switch key := values[r.column].(type) {
	case []byte:
		if len(key) < r.octet+2 {
			return 0, fmt.Errorf("%w: a key of %s", move.ErrValue, t.Name)
		}
		shard = Place(key, r.octet, s.shards)
	case [16]byte:
		shard = Place(key[:], r.octet, s.shards)
	default:
		return 0, fmt.Errorf("%w: %T as a key of %s", move.ErrValue, key, t.Name)
	}
	if r.number >= 0 {
		number, ok := integer(values[r.number])
		if !ok {
			return 0, fmt.Errorf("%w: a number of %s", move.ErrValue, t.Name)
		}
		s.under[t.Name][number] = shard
	}
	return shard, nil
}

func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	}
	return 0, false
}

// find returns the table of a name, or nil.
func find(tables []Table, name string) *Table {
	i := slices.IndexFunc(tables, func(t Table) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &tables[i]
}
