package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest"
)

// Store names a store, by its role and its own name.
type Store struct {
	Role server.Role
	Name string
}

// Copy is what the files of all stores showed at a time.
type Copy struct {
	State  string // "running" or "stopped"
	Stores map[Store][]badger.Sighting
}

// take copies the files of all stores and looks into the copies. Nobody must be
// writing.
func (w *world) take(state string) (*Copy, error) {
	if err := w.follow(); err != nil {
		return nil, err
	}
	stores, err := w.cfg.Stores()
	if err != nil {
		return nil, err
	}
	c := &Copy{State: state, Stores: map[Store][]badger.Sighting{}}
	for _, s := range stores {
		to := filepath.Join(w.dir, "copy")
		if err := storagetest.CopyLive(s.Dir, to); err != nil {
			return nil, fmt.Errorf("copying %s: %w", s.Name, err)
		}
		sightings := slices.Clone(w.journals[Store{s.Role, s.Name}].all)
		err := badger.Dissect(w.ctx, to, w.storage, func(g badger.Sighting) error {
			if g.Batch == 0 {
				sightings = append(sightings, clone(g))
			}
			return nil
		})
		if err := errors.Join(err, os.RemoveAll(to)); err != nil {
			return nil, err
		}
		c.Stores[Store{s.Role, s.Name}] = sightings
	}
	return c, nil
}

// journal is what the journals of a store showed since the last part began.
type journal struct {
	all  []badger.Sighting
	last uint64 // batch
}

// follow looks into the journals. What they show is kept, so that it does not
// depend on how much of the last part a slow machine does in half a minute.
func (w *world) follow() error {
	stores, err := w.cfg.Stores()
	if err != nil {
		return err
	}
	for _, s := range stores {
		name := Store{s.Role, s.Name}
		if w.journals[name] == nil {
			w.journals[name] = &journal{}
		}
		j := w.journals[name]
		seen := j.last
		err := badger.DissectJournals(s.Dir, w.storage, func(g badger.Sighting) error {
			if g.Batch > seen {
				j.all, j.last = append(j.all, clone(g)), max(j.last, g.Batch)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func clone(g badger.Sighting) badger.Sighting {
	g.Key, g.Value = bytes.Clone(g.Key), bytes.Clone(g.Value)
	return g
}
