package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/storage/badger"
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
		if err := copyDir(s.Dir, to); err != nil {
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

func copyDir(from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := copyFile(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// copyFile leaves holes where there are zeros: most of the engine's files are
// larger than what is in them.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	b, zeros := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); ; {
		n, err := io.ReadFull(in, b)
		if n == 0 || err != nil && err != io.ErrUnexpectedEOF {
			if err == io.EOF {
				err = out.Truncate(at)
			}
			return err
		}
		if !bytes.Equal(b[:n], zeros[:n]) {
			if _, err := out.WriteAt(b[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
	}
}
