package badger

import (
	"crypto/rand"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/storage/backup"
)

// life is what a database knows of itself and of the copies it comes from.
type life struct {
	// lineage is drawn anew when an older copy is found to be one, so that no
	// backup of the time it has lost is taken for one of it.
	lineage backup.Lineage
	// restores is how often that happened. The fence holds it too.
	restores uint32
	// pending tells that this copy was restored without its fence and not
	// opened since, with the newest note that it knows.
	pending bool
	note    []byte
}

// newLife encodes a new life.
func newLife(restores uint32) ([]byte, error) {
	l := life{restores: restores}
	rand.Read(l.lineage[:])
	return l.marshal()
}

func (l *life) marshal() ([]byte, error) {
	var w tlscodec.Writer
	w.Raw(l.lineage[:])
	w.Uint32(l.restores)
	w.Bool(l.pending)
	if l.pending {
		w.Opaque16(l.note)
	}
	return w.Bytes()
}

func parseLife(b []byte) (l life, err error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	copy(l.lineage[:], r.Fixed(len(l.lineage)))
	l.restores = r.Uint32()
	if l.pending = r.Bool(); l.pending {
		l.note = append([]byte{}, r.Opaque16()...)
	}
	if err := r.Finish(); err != nil {
		return life{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return l, nil
}

// Restores returns how often this database was found to be an older copy of
// itself, by its fence or as [Restore] made it. With the fence it grows each
// time, also if one copy is restored twice. Without the fence it grows unless the
// same copy is restored twice on one day.
func (db *DB) Restores() uint32 { return db.life.restores }
