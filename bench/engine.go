package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgserver"
	"github.com/pseudods/pseudods/tokens"
)

// engine is a way to store.
type engine interface {
	name() string
	// newPlace returns a place for stores that are empty. What else is needed
	// goes into dir.
	newPlace(dir string) (place, error)
	// processor is the time that processes beside this one have used.
	processor() time.Duration
	close() error
}

// place is where the stores of one site are.
type place interface {
	newSite() (*site, error)
	newLedger(tokens.NullifierKey) (tokens.Ledger, error)
	// close closes the stores; a site is closed before that.
	close() error
	// size is what a closed store takes, in octets: "groups", "queues" or
	// "ledger".
	size(store string) (int64, error)
}

// Stores are the names of all engines.
var Stores = []string{"badger", "postgres", "sharded"}

// openEngines opens those that are asked for; asked for nothing, all that are to be
// had here, and says which are not.
func (e *env) openEngines() error { return e.openEnginesBy(e.openEngine) }

func (e *env) openEnginesBy(open func(name string) (engine, error)) error {
	for _, name := range e.Stores {
		if !slices.Contains(Stores, name) {
			return fmt.Errorf("bench: no store %q, there are %s", name, strings.Join(Stores, ", "))
		}
	}
	for _, name := range Stores {
		if len(e.Stores) > 0 && !slices.Contains(e.Stores, name) {
			continue
		}
		opened, err := open(name)
		switch {
		case len(e.Stores) == 0 && (errors.Is(err, pgserver.ErrMissing) || errors.Is(err, errNoRouter)):
			if e.Progress != nil {
				fmt.Fprintf(e.Progress, "store %s is left out: %v\n", name, err)
			}
		case err != nil:
			return fmt.Errorf("bench: store %s: %w", name, err)
		default:
			e.engines = append(e.engines, opened)
		}
	}
	return nil
}

func (e *env) openEngine(name string) (engine, error) {
	if name == "badger" {
		return badgerEngine{}, nil
	}
	if e.server == nil {
		server, err := startServer(&e.Options)
		if err != nil {
			return nil, err
		}
		e.server = server
	}
	if name == "sharded" {
		return newShardedEngine(e.server)
	}
	return postgresEngine{e.server}, nil
}

func (e *env) closeEngines() (err error) {
	if e.server != nil {
		err = e.server.close()
	}
	return err
}

// embedded reports whether the embedded store is measured.
func (e *env) embedded() bool {
	return slices.ContainsFunc(e.engines, func(x engine) bool { return x.name() == "badger" })
}

// badgerEngine keeps stores in this process.
type badgerEngine struct{}

func (badgerEngine) name() string { return "badger" }

func (badgerEngine) newPlace(dir string) (place, error) { return &badgerPlace{dir: dir}, nil }

func (badgerEngine) processor() time.Duration { return 0 }

func (badgerEngine) close() error { return nil }

type badgerPlace struct {
	dir    string
	ledger *ledger.Ledger
}

func (p *badgerPlace) newSite() (*site, error) { return newSite(p.dir) }

func (p *badgerPlace) newLedger(key tokens.NullifierKey) (tokens.Ledger, error) {
	l, err := ledger.Open(ledger.Config{Dir: filepath.Join(p.dir, "ledger"), Fence: filepath.Join(p.dir, "fence"), Key: key})
	p.ledger = l
	return l, err
}

func (p *badgerPlace) close() error {
	if p.ledger == nil {
		return nil
	}
	defer func() { p.ledger = nil }()
	return p.ledger.Close()
}

// size counts the files of a store that is closed. The engine has written what it
// had in memory to tables by then, and has not merged all of them.
func (p *badgerPlace) size(store string) (octets int64, err error) {
	err = filepath.WalkDir(filepath.Join(p.dir, store), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			octets += info.Size()
		}
		return err
	})
	return octets, err
}
