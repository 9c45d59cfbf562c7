package badger

import (
	"errors"
	"fmt"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// The kernel's own records.
var (
	formatKey = []byte("\x00format") // kernel version, Format
	fenceKey  = []byte("\x00fence")  // id, note; absent without a fence
	seqKey    = []byte("\x00seq")    // number of the last batch
	lifeKey   = []byte("\x00life")   // lineage, restores
)

// kernelVersion is the version of the kernel's own records.
const kernelVersion = 2

func (f Format) validate() error {
	if len(f.Name) == 0 || len(f.Name) > 64 {
		return errors.New("badger: format name is not 1 to 64 octets")
	}
	for _, c := range []byte(f.Name) {
		if c <= ' ' || c > '~' {
			return errors.New("badger: format name is not printable ASCII")
		}
	}
	return nil
}

func (f Format) marshal() ([]byte, error) {
	var w tlscodec.Writer
	w.Uint16(kernelVersion)
	w.Opaque8([]byte(f.Name))
	w.Uint32(f.Version)
	return w.Bytes()
}

func parseFormat(b []byte) (Format, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	kernel := r.Uint16()
	f := Format{Name: string(r.Opaque8()), Version: r.Uint32()}
	if err := r.Finish(); err != nil {
		return Format{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if kernel != kernelVersion {
		return Format{}, fmt.Errorf("%w: kernel version %d", ErrFormat, kernel)
	}
	if err := f.validate(); err != nil {
		return Format{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return f, nil
}

// Format returns the format of the database.
func (db *DB) Format() Format { return db.cfg.Format }

// checkFormat compares the format record with the configured one and writes it
// into an empty database. Until it is written nothing else is, so a crash here
// leaves an empty database again.
func (db *DB) checkFormat() error {
	txn := db.tables.latest()
	defer txn.Discard()
	b, err := get(txn, formatKey)
	if errors.Is(err, ErrNotFound) {
		it := txn.NewIterator(engine.IteratorOptions{})
		it.Rewind()
		empty := !it.Valid()
		it.Close()
		if empty && db.cfg.ReadOnly {
			return nil // a crash came before it
		}
		if empty {
			return db.writeFormat()
		}
	}
	var found Format
	if err == nil {
		found, err = parseFormat(b)
	} else if errors.Is(err, ErrNotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	want := db.cfg.Format
	kind := ErrFormat
	if found.Name == want.Name && found.Version < want.Version {
		if kind = ErrOutdated; db.cfg.upgrades != nil {
			db.found = found.Version
			return nil
		}
	}
	if found.Name != want.Name || found.Version != want.Version {
		return fmt.Errorf("%w: found %q version %d, want %q version %d", kind, found.Name, found.Version, want.Name, want.Version)
	}
	return nil
}

func (db *DB) writeFormat() error {
	b, err := db.cfg.Format.marshal()
	if err != nil {
		return err
	}
	return db.tables.put(formatKey, b)
}
